import { VarveError } from '../base/errors.js'

const NOTHING = 'nothing was written'

/** The first record of a document has to be a meta, and it was an entry. Nothing was written. */
export class StreamFirstRecordError extends VarveError {
  declare readonly name: 'StreamFirstRecordError'
  declare readonly id: string

  constructor(id: string) {
    // The words before the semicolon are those of kyneta, which programs look for.
    const message = `Store: first record for doc '${id}' must be meta, got entry; ${NOTHING}; append a meta record first`
    super('STREAM_FIRST_RECORD', message, { id })
  }
}

/** A batch that replaces a stream has no meta record. Nothing was written. */
export class StreamNoMetaError extends VarveError {
  declare readonly name: 'StreamNoMetaError'
  declare readonly id: string

  constructor(id: string) {
    super('STREAM_NO_META', `Store: batch must contain at least one meta record; doc '${id}'; ${NOTHING}; add one`, {
      id,
    })
  }
}

/** A meta record does not go with what the document is. Nothing was written. */
export class StreamMismatchError extends VarveError {
  declare readonly name: 'StreamMismatchError'
  declare readonly id: string
  declare readonly field: 'replicaType' | 'syncMode'
  declare readonly existing: unknown
  declare readonly incoming: unknown

  constructor(id: string, field: 'replicaType' | 'syncMode', existing: unknown, incoming: unknown, inBatch: boolean) {
    const where = inBatch ? 'within batch' : 'for document'
    const both = `existing ${JSON.stringify(existing)} vs incoming ${JSON.stringify(incoming)}`
    const message = `Store: ${field} mismatch ${where} — ${both}; doc '${id}'; ${NOTHING}; delete the document first`
    super('STREAM_MISMATCH', message, { id, field, existing, incoming })
  }
}

/** Others kept writing to a document while it was to be compacted. Nothing was written. */
export class StreamConflictError extends VarveError {
  declare readonly name: 'StreamConflictError'
  declare readonly id: string
}

/** A stream was replaced while somebody was reading it in several pages. Nothing was written; read it again. */
export class StreamReplacedError extends VarveError {
  declare readonly name: 'StreamReplacedError'
  declare readonly id: string
}

/** The store has been closed. Nothing was done. */
export class StreamClosedError extends VarveError {
  declare readonly name: 'StreamClosedError'
}

/** The storage has a format that this version does not read. It was left as it is. */
export class StreamFormatError extends VarveError {
  declare readonly name: 'StreamFormatError'
  declare readonly reason: 'unversioned-existing-data' | 'incompatible-major' | 'malformed-version' | 'foreign-tables'
}

/** The storage holds something that is not a record. It was left as it is. */
export class StreamDamagedError extends VarveError {
  declare readonly name: 'StreamDamagedError'
  declare readonly id: string
}
