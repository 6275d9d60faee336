/** The little of pg that the tests use; it brings no types of its own. */
declare module 'pg' {
  interface Result {
    rows: { [column: string]: unknown }[]
  }
  export class Client {
    constructor(options: object)
    connect(): Promise<void>
    query(text: string, values?: unknown[]): Promise<Result>
    on(event: 'error', listener: (error: Error) => void): this
    removeListener(event: 'error', listener: (error: Error) => void): this
    end(): Promise<void>
  }
  export class PoolClient extends Client {
    release(error?: Error | boolean): void
  }
  export class Pool {
    constructor(options: object)
    readonly totalCount: number
    readonly ended: boolean
    readonly idleCount: number
    connect(): Promise<PoolClient>
    query(text: string, values?: unknown[]): Promise<Result>
    on(event: 'error', listener: (error: Error) => void): this
    end(): Promise<void>
  }
  const pg: { Client: typeof Client; Pool: typeof Pool }
  export default pg
}
