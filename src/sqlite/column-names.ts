import type { BoundStatement } from './statement.js'
import { SqliteError } from './error.js'

/** A `*` that stands for columns: not that of count(*). */
const STAR = /(?<!\bcount\s*\(\s*)\*/i

/**
 * A statement of a binding that makes rows by assignment: a column called `__proto__` would be lost, or, as a BLOB or NULL, become
 * the prototype of the row. Such statements are refused.
 *
 * @param names of the columns that it has now.
 * @throws {SqliteError} there is such a column: when it is prepared, or, where a `*` stands for it, when it is run.
 */
export function withColumnsChecked(
  sql: string,
  inner: BoundStatement,
  names: () => readonly unknown[],
): BoundStatement {
  const check = (): void => {
    if (!names().includes('__proto__')) return
    const message =
      'SQLite: a column is called __proto__, which rows of this binding cannot hold; nothing was done; select it by another name: AS …'
    throw new SqliteError(message, 'MISMATCH')
  }
  if (sql.includes('__proto__')) check()
  if (!STAR.test(sql)) return inner
  // What writes is refused before; but for that, the names are known only after: a changed schema is noticed when it runs.
  const isWriting = /\breturning\b/i.test(sql)
  const checked = <T>(read: () => T): T => {
    if (isWriting) check()
    const result = read()
    check()
    return result
  }
  return {
    ...inner,
    get: (values) => checked(() => inner.get(values)),
    all: (values) => checked(() => inner.all(values)),
  }
}
