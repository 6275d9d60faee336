import * as Y from 'yjs'

/** What the stream of a Yjs document begins with: who may read it, and how it is written. */
const META = {
  kind: 'meta',
  meta: {
    replicaType: ['yjs', 1, 0],
    syncMode: { writerModel: 'concurrent', delivery: 'delta-capable', durability: 'persistent' },
    schemaHash: 'yjs 13',
  },
}

/**
 * A Yjs document in a record stream: each update is a record, and what other processes write comes in by itself. It knows
 * nothing of the storage, so any store of `varve/streams` will do.
 */
export class YjsPersistence {
  doc = new Y.Doc()
  #store
  #id
  #updatesMax
  #onError
  #tail
  /** Records that are not written yet, in order. */
  #unsaved = []
  #writing
  /** Updates in the stream since it was last compacted, as far as the tail has told them. */
  #updates = 0

  /**
   * Loads a document, or begins it. `updatesMax`: more updates than this are made one record. `onError`: told when the
   * storage fails; what was not written is tried again with the next edit, and by `saved`.
   */
  static async open(store, id, { updatesMax = 500, pollMs = 100, onError = console.error } = {}) {
    const opened = new YjsPersistence(store, id, updatesMax, onError)
    if ((await store.currentMeta(id)) === null) await store.append(id, META)
    let after = -1
    for await (const record of store.load(id)) {
      opened.#apply(record)
      after = record.seq
    }
    opened.#tail = store.tail(id, { after, pollMs, onError }, (record) => opened.#apply(record))
    opened.doc.on('update', opened.#onUpdate)
    return opened
  }

  constructor(store, id, updatesMax, onError) {
    this.#store = store
    this.#id = id
    this.#updatesMax = updatesMax
    this.#onError = onError
  }

  /** Resolves when every edit so far is in the storage. Rejects when it is not; nothing is lost, call it again. */
  async saved() {
    while (this.#unsaved.length > 0) await (this.#writing ??= this.#write())
  }

  /** Makes one record of all updates. The state is the last record, so whoever is behind gets all of it. */
  async compact() {
    await this.#store.compact(this.#id, (records) => {
      const updates = records.flatMap((record) => (record.kind === 'entry' ? [record.payload.data] : []))
      if (updates.length === 0) return records
      const state = Y.mergeUpdates(updates)
      return [META, entry('entirety', state, Y.encodeStateVectorFromUpdate(state))]
    })
    this.#updates = 0
  }

  /** Saves, and lets go of the document. The store stays open. */
  async close() {
    try {
      await this.saved()
    } finally {
      this.#tail.stop()
      this.doc.destroy()
    }
  }

  /** A record of the stream. Those of our own edits are in the document already, which makes them nothing new to it. */
  #apply(record) {
    if (record.kind === 'meta') return
    this.#updates = record.payload.kind === 'since' ? this.#updates + 1 : 0
    Y.applyUpdate(this.doc, record.payload.data, this)
  }

  /** What came from the storage does not go there again. */
  #onUpdate = (update, origin) => {
    if (origin === this) return
    this.#unsaved.push(entry('since', update, Y.encodeStateVector(this.doc)))
    if (this.#writing === undefined) this.saved().catch((error) => this.#onError(error))
  }

  /** Runs once at a time. What fails stays where it is; a record that comes twice does no harm to Yjs. */
  async #write() {
    try {
      // Edits of one turn go together.
      await Promise.resolve()
      const records = [...this.#unsaved]
      await this.#store.appendMany(this.#id, records)
      this.#unsaved.splice(0, records.length)
      if (this.#updates > this.#updatesMax) await this.compact().catch((error) => this.#onError(error))
    } finally {
      this.#writing = undefined
    }
  }
}

/** A record of the stream. Its version is the state vector that the document has with it. */
function entry(kind, data, stateVector) {
  return {
    kind: 'entry',
    payload: { kind, encoding: 'binary', data },
    version: Buffer.from(stateVector).toString('base64'),
  }
}
