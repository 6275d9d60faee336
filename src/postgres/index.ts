export type { PostgresStreamTables } from './names.js'
export type { PostgresClient, PostgresPool, PostgresPoolClient, PostgresResult } from './port.js'
export type { PostgresStreamOptions } from './postgres-stream-store.js'
export { createPostgresStreamStore } from './postgres-stream-store.js'
