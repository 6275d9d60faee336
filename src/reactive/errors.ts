import { VarveError } from '../base/errors.js'

/** A query of this name exists. Nothing was done. */
export class QueryAlreadyDefinedError extends VarveError {
  override readonly name = 'QueryAlreadyDefinedError'
  declare readonly query: string

  constructor(query: string) {
    super('QUERY_EXISTS', `Query "${query}" is already defined`, { query })
  }
}

/** There is no query of this name. Nothing was done. */
export class QueryNotDefinedError extends VarveError {
  declare readonly name: 'QueryNotDefinedError'
  declare readonly query: string

  constructor(query: string) {
    super('QUERY_NOT_DEFINED', `Query "${query}" is not defined`, { query })
  }
}

/** A query was overtaken each time it ran: others commit to what it reads faster than it reads. Nothing was done. */
export class QueryOvertakenError extends VarveError {
  declare readonly name: 'QueryOvertakenError'
  declare readonly runs: number

  constructor(runs: number) {
    const remedy = 'read with fewer waits in between, or with store.read'
    super('QUERY_OVERTAKEN', `a query was overtaken by commits to what it reads, ${runs} times in a row; ${remedy}`, {
      runs,
    })
  }
}
