/**
 * A connection of the best binding that is here: better-sqlite3, or where that was not compiled for this Node.js, another one; and
 * the four methods on it, as a user would write them. In JavaScript, so that child processes take it as it is.
 */
import { loadNatives } from '../support/sqlite-natives.mjs'

const { found, missing } = await loadNatives()
const withFiles = found.filter(({ files }) => files)
const native = withFiles.find(({ name }) => name === 'better-sqlite3') ?? withFiles[0]
if (native === undefined) throw new Error(`no binding of SQLite is here: ${[...missing.values()].join('; ')}`)

export const isBetter = native.name === 'better-sqlite3'

export function openNative(path) {
  return native.open(path)
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
