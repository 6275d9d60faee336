/**
 * A live query with what belongs to each row: 1,000 groups, each with the top 10 of its 20 members; one member changes. The
 * limit is the same kept by hand: sorted lists, one per group, and an array of frozen rows.
 */
import { expect, randomNumbers } from '../data.mjs'
import { Store } from '../contestants/varve.mjs'

const GROUPS = 1_000
const MEMBERS = 20_000
const TOP = 10

const groupOf = (i) => i % GROUPS
const makeGroup = (id) => ({ id, name: `group ${id}` })
const makeMember = (id) => ({ id, groupId: groupOf(id), score: (id * 7_919) % 1_000, name: `member ${id}` })

async function openVarve() {
  const number = { type: 'number', required: true }
  const name = { type: 'string', required: true }
  const store = await Store.start({
    buckets: {
      groups: { key: 'id', schema: { id: number, name } },
      members: {
        key: 'id',
        schema: { id: number, groupId: { ...number, ref: 'groups' }, score: number, name },
        indexes: [['groupId', 'score']],
      },
    },
  })
  const members = store.bucket('members')
  await store.bucket('groups').insertMany(Array.from({ length: GROUPS }, (_, id) => makeGroup(id)))
  await members.insertMany(Array.from({ length: MEMBERS }, (_, id) => makeMember(id)))
  const query = store
    .bucket('groups')
    .query()
    .include({ members: { orderBy: ['score', 'desc'], limit: TOP } })
  return {
    live: async (callback) => {
      const end = query.live(callback)
      await end.ready
      return end
    },
    write: (id, score) => members.update(id, { score }),
    once: async () => (await query).length,
    close: () => store.stop(),
  }
}

function openByHand() {
  const members = new Map(Array.from({ length: MEMBERS }, (_, id) => [id, Object.freeze(makeMember(id))]))
  const compare = (a, b) => b.score - a.score || a.id - b.id
  const lists = Array.from({ length: GROUPS }, () => [])
  for (const member of members.values()) lists[member.groupId].push(member)
  for (const list of lists) list.sort(compare)
  const rowOf = (id) => Object.freeze({ ...makeGroup(id), members: Object.freeze(lists[id].slice(0, TOP)) })
  const rows = lists.map((_, id) => rowOf(id))
  let listener
  return {
    live: (callback) => {
      listener = callback
      callback(Object.freeze(rows.slice()))
      return () => (listener = undefined)
    },
    write: (id, score) => {
      const before = members.get(id)
      const after = Object.freeze({ ...before, score })
      members.set(id, after)
      const list = lists[after.groupId]
      list.splice(list.indexOf(before), 1)
      const at = list.findIndex((other) => compare(after, other) < 0)
      list.splice(at === -1 ? list.length : at, 0, after)
      rows[after.groupId] = rowOf(after.groupId)
      listener?.(Object.freeze(rows.slice()))
    },
    once: () => rows.length,
    close: () => undefined,
  }
}

/** @param scale share of the usual number of writes. */
export function includeCase(scale) {
  const writes = Math.max(5, Math.round(1_000 * scale))
  const keys = randomNumbers(writes, MEMBERS, 3)
  let turn = 0
  const row = (contestant, open, isLimit) => ({
    contestant,
    durability: isLimit ? 'none' : 'memory',
    ...(isLimit ? {} : { limit: 'Map', target: { atMost: 80_000 } }),
    ops: writes,
    setup: async () => {
      const state = { store: await open(), called: 0, rows: undefined, wake: undefined }
      state.end = await state.store.live((rows) => {
        state.rows = rows
        state.called++
        state.wake?.()
      })
      return state
    },
    run: async (state) => {
      state.called = 0
      for (const key of keys) {
        // It becomes the first of its group.
        state.score = 1_000 + turn++
        const before = state.called
        const written = state.store.write(key, state.score)
        if (!isLimit) await written
        if (state.called === before) await new Promise((resolve) => (state.wake = resolve))
        state.wake = undefined
      }
      return state.called
    },
    check: (called, { rows, score }) => {
      expect(called, writes, `${contestant}: callbacks`)
      expect(rows.length, GROUPS, `${contestant}: rows`)
      const { members } = rows[groupOf(keys.at(-1))]
      expect(members.length, TOP, `${contestant}: included`)
      expect(members[0].score, score, `${contestant}: the first of them`)
    },
    teardown: async ({ store, end }) => {
      end()
      await store.close()
    },
  })
  return {
    name: 'include',
    title: `write to callback, ${GROUPS} rows with the top ${TOP} of ${MEMBERS}, one of which changes`,
    warmups: 1,
    rows: [row('Map', openByHand, true), row('Varve', openVarve, false)],
  }
}
