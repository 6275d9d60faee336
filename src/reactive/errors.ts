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
