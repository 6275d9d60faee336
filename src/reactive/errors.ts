import { VarveError } from '../base/errors.js'

/** A query of this name exists. Nothing was done. */
export class QueryAlreadyDefinedError extends VarveError {
  override readonly name = 'QueryAlreadyDefinedError'
  readonly query: string

  constructor(query: string) {
    super('QUERY_EXISTS', `Query "${query}" is already defined`)
    this.query = query
  }
}

/** There is no query of this name. Nothing was done. */
export class QueryNotDefinedError extends VarveError {
  override readonly name = 'QueryNotDefinedError'
  readonly query: string

  constructor(query: string) {
    super('QUERY_NOT_DEFINED', `Query "${query}" is not defined`)
    this.query = query
  }
}
