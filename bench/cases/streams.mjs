/** Record streams beside a bare prepared insert and select on the same binding, and beside @kyneta/sqlite-store. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BareStreams, collect, entry, META, openKynetaStreams, openVarveStreams } from '../contestants/streams.mjs'
import { expect } from '../data.mjs'
import { concurrently } from './writers.mjs'

const APPENDERS = 100
const FILE = 'streams.db'
const BINDING = 'better-sqlite3, WAL'

export function streamCases({ scale, dir, peers }) {
  const scaled = (count, least) => Math.max(least, Math.round(count * scale))
  /** A row whose streams are in a file of their own: made by `fill`, timed by `run`. */
  const row = (contestant, open, level, { ops, fill, run, check, ...rest }) => ({
    contestant,
    durability: level === 'FULL' ? 'disk' : 'process',
    ops,
    ...rest,
    setup: async () => {
      const at = mkdtempSync(join(dir, 'varve-bench-'))
      const store = await open(join(at, FILE), level)
      await fill(store)
      return { at, store }
    },
    run: ({ store }, round) => run(store, round),
    check: (result, { store }) => check(result, store),
    teardown: async ({ at, store }) => {
      await store.close()
      rmSync(at, { recursive: true })
    },
  })
  const bare = (path, level) => new BareStreams(path, level)
  const varve = (path, level) => openVarveStreams(path, level)
  const own = (path, level) => openVarveStreams(path, level, 'varve')
  const cases = [
    appendOne('NORMAL', scaled(10_000, 50)),
    appendOne('FULL', scaled(3_000, 50)),
    appendMany(),
    loadAll(),
    currentMeta(),
    tails(),
  ]
  return { cases: peers.length > 0 ? cases : cases.map(withoutPeers) }

  function appendOne(level, count) {
    const records = Array.from({ length: 2 * count }, (_, i) => entry(i))
    const [first, timed] = [records.slice(0, count), records.slice(count)]
    const append = async (store, all) => {
      for (const record of all) await store.append('doc', record)
    }
    const appends = (contestant, open, rest = {}) =>
      row(contestant, open, level, {
        ops: count,
        isFresh: true,
        fill: async (store) => {
          await store.append('doc', META)
          await append(store, first)
        },
        run: (store) => append(store, timed),
        check: async (_, store) => expect((await collect(store.loadAll('doc'))).length, 1 + records.length, contestant),
        ...rest,
      })
    const limit = 'bare insert'
    return {
      name: `streams-append-${level.toLowerCase()}`,
      title: `append of records of 100 bytes, one after another (${BINDING}, synchronous=${level})`,
      rounds: 11,
      rows: [
        appends(limit, bare, {
          fill: (store) => {
            store.create('doc')
            for (const record of first) store.append('doc', record)
          },
          run: (store) => {
            for (const record of timed) store.append('doc', record)
          },
        }),
        appends('Varve', varve, { limit, target: { minRate: 0.8 } }),
        appends('Varve, own format', own, { limit, target: { minRate: 0.8 } }),
        appends('@kyneta/sqlite-store', openKynetaStreams, { limit }),
      ],
    }
  }

  function appendMany() {
    const count = scaled(20_000, 2 * APPENDERS)
    const records = Array.from({ length: 2 * count }, (_, i) => entry(i))
    const [first, timed] = [records.slice(0, count), records.slice(count)]
    const ids = Array.from({ length: APPENDERS }, (_, i) => `doc-${i}`)
    const place = new Map(records.map((record, i) => [record, ids[i % APPENDERS]]))
    const appends = (contestant, open, rest = {}) => {
      const write = (store, record) => store.append(place.get(record), record)
      return row(contestant, open, 'FULL', {
        ops: count,
        isFresh: true,
        fill: async (store) => {
          await Promise.all(ids.map((id) => store.append(id, META)))
          await concurrently(APPENDERS, first, (record) => write(store, record))
        },
        run: (store) => concurrently(APPENDERS, timed, (record) => write(store, record)),
        check: async (_, store) => {
          const all = await collect(store.loadAll(ids[0]))
          expect(all.length, 1 + Math.ceil(records.length / APPENDERS), contestant)
        },
        ...rest,
      })
    }
    const limit = 'bare group commit'
    return {
      name: 'streams-append-many',
      title: `append, ${APPENDERS} appenders to as many documents (${BINDING}, synchronous=FULL)`,
      rounds: 11,
      rows: [
        appends(limit, bare, {
          fill: async (store) => {
            for (const id of ids) store.create(id)
            await concurrently(APPENDERS, first, (record) => store.appendGrouped(place.get(record), record))
          },
          run: (store) => concurrently(APPENDERS, timed, (record) => store.appendGrouped(place.get(record), record)),
        }),
        appends('Varve', varve, { limit, target: { minRate: 0.6 } }),
        appends('Varve, own format', own, { limit, target: { minRate: 0.6 } }),
      ],
    }
  }

  function loadAll() {
    const count = scaled(10_000, 100)
    const records = [META, ...Array.from({ length: count - 1 }, (_, i) => entry(i))]
    const loads = (contestant, open, rest = {}) =>
      row(contestant, open, 'NORMAL', {
        ops: count,
        fill: (store) => store.replace('doc', records),
        run: (store) => collect(store.loadAll('doc')),
        check: (result) => {
          expect(result.length, count, contestant)
          expect(result.at(-1).payload.data.join(), records.at(-1).payload.data.join(), contestant)
        },
        ...rest,
      })
    const limit = 'bare select, decoded'
    return {
      name: 'streams-load',
      title: `loadAll of ${count.toLocaleString('en')} records of 100 bytes, for each record (${BINDING})`,
      rows: [
        loads(limit, bare, {
          fill: (store) => {
            store.transaction(() => {
              store.create('doc')
              for (const record of records.slice(1)) store.append('doc', record)
            })
          },
          run: (store) => store.loadAll('doc'),
        }),
        loads('Varve', varve, { limit, target: { max: 1.2 } }),
        loads('Varve, own format', own, { limit, target: { max: 1.2 } }),
        loads('@kyneta/sqlite-store', openKynetaStreams, { limit }),
      ],
    }
  }

  function currentMeta() {
    const asked = scaled(5_000, 20)
    const long = scaled(100_000, 200)
    const asks = (contestant, open, length, rest = {}) =>
      row(contestant, open, 'NORMAL', {
        ops: asked,
        fill: (store) => store.replace('doc', [META, ...Array.from({ length: length - 1 }, (_, i) => entry(i))]),
        run: async (store) => {
          let meta
          for (let i = 0; i < asked; i++) meta = await store.currentMeta('doc')
          return meta
        },
        check: (meta) => expect(JSON.stringify(meta), JSON.stringify(META.meta), contestant),
        ...rest,
      })
    const limit = 'Varve, 10 records'
    const ownLimit = 'own format, 10 records'
    const name = `${long.toLocaleString('en')} records`
    return {
      name: 'streams-meta',
      title: `currentMeta of a document of 10 records and of one of ${name} (${BINDING})`,
      rows: [
        asks(limit, varve, 10),
        asks(`Varve, ${name}`, varve, long, { limit, target: { max: 1.2 } }),
        asks(ownLimit, own, 10),
        asks(`own format, ${name}`, own, long, { limit: ownLimit, target: { max: 1.2 } }),
        asks('@kyneta/sqlite-store', openKynetaStreams, long, { limit }),
      ],
    }
  }

  function tails() {
    const docs = scaled(10_000, 50)
    const ids = Array.from({ length: docs }, (_, i) => `doc-${i}`)
    const length = 10
    const after = 7
    const records = [META, ...Array.from({ length: length - 1 }, (_, i) => entry(i))]
    const opens = (contestant, open, rest = {}) =>
      row(contestant, open, 'NORMAL', {
        ops: docs,
        fill: async (store) => {
          for (const id of ids) await store.replace(id, records)
        },
        check: (told) => expect(told, docs * (length - after - 1), contestant),
        ...rest,
      })
    /** Until each of them has told what is there. */
    const run = (store) =>
      new Promise((resolve, reject) => {
        let told = 0
        const all = ids.map((id) =>
          store.tail(id, { after, onError: reject }, () => {
            told++
            if (told === docs * (length - after - 1)) {
              for (const tail of all) tail.stop()
              resolve(told)
            }
          }),
        )
      })
    const load = async (store) => {
      let told = 0
      for (const id of ids) for await (const { seq } of store.load(id, { after })) if (seq > after) told++
      return told
    }
    const limit = 'bare select, decoded'
    const target = { atMost: 20_000 }
    return {
      name: 'streams-tails',
      title: `opening ${docs.toLocaleString('en')} documents at their last two records (${BINDING})`,
      rows: [
        opens(limit, bare, {
          fill: (store) => {
            store.transaction(() => {
              for (const id of ids) {
                store.create(id)
                for (const record of records.slice(1)) store.append(id, record)
              }
            })
          },
          run: (store) => {
            let told = 0
            for (const id of ids) told += store.tail(id, after).length
            return told
          },
        }),
        opens('Varve, load', varve, { limit, target, run: load }),
        opens('Varve, tail', varve, { limit, target, run }),
        opens('own format, load', own, { limit, target, run: load }),
        opens('own format, tail', own, { limit, target, run }),
      ],
    }
  }
}

function withoutPeers(one) {
  return { ...one, rows: one.rows.filter(({ contestant }) => !contestant.startsWith('@')) }
}
