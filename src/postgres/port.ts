/** What a query answers. */
export interface PostgresResult {
  readonly rows: readonly { readonly [column: string]: unknown }[]
}

/** What is needed of a connection: a `Client` of `pg` is one. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<PostgresResult>
  on?(event: 'error', listener: (error: Error) => void): unknown
  removeListener?(event: 'error', listener: (error: Error) => void): unknown
  /** As the server said it last: I outside a transaction, T in one, E in one that has failed. Older versions of pg lack it. */
  getTransactionStatus?(): string | null
  end?(): Promise<void>
}

/** A connection that a pool has lent. */
export interface PostgresPoolClient extends PostgresClient {
  /** Gives it back; with an error the pool throws it away. */
  release(error?: Error | boolean): void
}

/** What is needed of a pool: a `Pool` of `pg` is one. */
export interface PostgresPool {
  /** Tells a pool from a client. */
  readonly totalCount: number
  /** True: it gives out no connections any more. */
  readonly ending?: boolean
  connect(): Promise<PostgresPoolClient>
  end(): Promise<void>
}
