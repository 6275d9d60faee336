/** The little of better-sqlite3 that the tests use; it brings no types of its own. */
declare module 'better-sqlite3' {
  export default class Database {
    constructor(path: string)
    prepare(sql: string): {
      get(...values: unknown[]): any
      all(...values: unknown[]): any[]
      run(...values: unknown[]): unknown
    }
    exec(sql: string): unknown
    transaction<R>(fn: () => R): () => R
    close(): void
  }
}
