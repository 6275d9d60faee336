import { readArchive } from '../history/read-archive.js'
import type { Entry } from '../log/entry.js'
import { SQLiteAdapter } from '../log/sqlite-adapter.js'
import type { OpenContext, ReadLogOptions, StorageReport } from '../log/storage.js'
import { CliError, EXIT_UNUSABLE } from './cli-error.js'

/** The log of a store, and the folder with what has left it. */
export interface ArchivedLog {
  readonly archive: string
  readonly logId: string
  /** Entries of the log after a seq. */
  readonly readLog: (after: number) => AsyncIterable<Entry>
}

/**
 * The entries after `after`: those that have left the log from its archive, the others from the log.
 *
 * @throws {ArchiveError} @throws {CliError} it is the archive of another store.
 */
export async function* readArchived({ archive, logId, readLog }: ArchivedLog, after: number): AsyncGenerator<Entry> {
  const log = { read: (options?: { readonly after?: number }) => readLog(options?.after ?? 0) }
  for await (const entry of readArchive(archive, { after, log: log as never })) {
    if (entry.id !== `${logId}-${entry.seq}`) {
      const what = `archive ${archive}: it is of another store`
      throw new CliError(`${what}; nothing was done; give the folder of this one`, { exitCode: EXIT_UNUSABLE })
    }
    yield entry
  }
}

/** A file whose log begins where its archive does. */
export class ArchivedAdapter extends SQLiteAdapter {
  readonly #archive: string
  #logId = ''

  constructor(options: { readonly filename: string; readonly waitMs?: number }, archive: string) {
    super(options)
    this.#archive = archive
  }

  override async open(context: OpenContext): Promise<StorageReport> {
    const report = await super.open(context)
    this.#logId = report.logId
    return report
  }

  override async *readLog(after: number, options: ReadLogOptions = {}): AsyncGenerator<Entry> {
    const { limit = Number.POSITIVE_INFINITY, types } = options
    const readLog = (from: number): AsyncIterable<Entry> => super.readLog(from)
    let left = limit
    if (left <= 0) return
    for await (const entry of readArchived({ archive: this.#archive, logId: this.#logId, readLog }, after)) {
      if (types !== undefined && !types.includes(entry.type)) continue
      yield entry
      if (--left === 0) return
    }
  }

  override async firstSeq(): Promise<number> {
    for await (const { seq } of this.readLog(0, { limit: 1 })) return seq
    return super.firstSeq()
  }
}
