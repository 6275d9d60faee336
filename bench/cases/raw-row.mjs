import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { RawSqlite } from '../contestants/sqlite.mjs'
import { expect } from '../data.mjs'

/** A row for what SQLite does by hand, in files that `folder` makes. */
export const rawRow =
  (folder) =>
  (contestant, { first, records }, run) => ({
    contestant,
    durability: 'disk',
    ops: records.length,
    isFresh: true,
    setup: async () => {
      const at = folder()
      const store = new RawSqlite(join(at, 'raw.db'))
      globalThis.gc?.()
      await run(store, first)
      return { at, store }
    },
    run: ({ store }) => run(store, records),
    check: (_, { store }) => expect(store.count, first.length + records.length, contestant),
    teardown: ({ at, store }) => {
      store.close()
      rmSync(at, { recursive: true })
    },
  })
