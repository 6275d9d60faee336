/**
 * A connection of better-sqlite3, or of node:sqlite where better-sqlite3 was compiled for another Node.js; and the four methods on
 * it, as a user would write them. In JavaScript, so that child processes take it as it is.
 */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

function load() {
  try {
    const Database = require('better-sqlite3')
    new Database(':memory:').close()
    return { Database, isBetter: true }
  } catch (error) {
    // It says that there is neither, where there is neither.
    void error
    return { Database: require('node:sqlite').DatabaseSync, isBetter: false }
  }
}

const { Database, isBetter } = load()
export { isBetter }

export function openNative(path) {
  return new Database(path)
}

export function bareAdapter(database) {
  const statements = new Map()
  const prepare = (sql) => {
    let statement = statements.get(sql)
    if (statement === undefined) statements.set(sql, (statement = database.prepare(sql)))
    return statement
  }
  let depth = 0
  return {
    exec: (sql, ...params) => void (params.length === 0 ? database.exec(sql) : prepare(sql).run(...params)),
    iterate: (sql, ...params) => prepare(sql).all(...params),
    transaction(fn) {
      const name = `level_${depth}`
      database.exec(depth === 0 ? 'BEGIN' : `SAVEPOINT ${name}`)
      depth++
      try {
        const result = fn()
        database.exec(depth === 1 ? 'COMMIT' : `RELEASE ${name}`)
        return result
      } catch (error) {
        database.exec(depth === 1 ? 'ROLLBACK' : `ROLLBACK TO ${name}; RELEASE ${name}`)
        throw error
      } finally {
        depth--
      }
    },
    close: () => database.close(),
  }
}
