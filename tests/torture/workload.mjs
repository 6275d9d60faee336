/**
 * What the children of the torture write, and what has to be true of it whatever happens to them.
 *
 * Money: transfers move it between accounts, in one transaction with a mark. Items: plain inserts, updates, deletes and
 * insertMany. Scratch: inserts and now and then a clear, which takes what the log says of the bucket along. Every other
 * write leaves a trace in the log: its name in the field `op` of a record, or `-key` for a plain delete.
 */
export const ACCOUNTS = 20
export const FUNDS = 100
export const WORKERS = 8
/** Records of one `insertMany`: all of them are in the log together, or none is. */
export const MANY = 3
const ITEMS_MAX = 10
/** The trace of writes that a later clear takes away. */
export const UNTRACED = ''

export const BUCKETS = {
  accounts: { key: 'id', schema: { id: { type: 'number' }, balance: { type: 'number' }, op: { type: 'string' } } },
  marks: { key: 'id', schema: { id: { type: 'string' }, worker: { type: 'number' }, op: { type: 'string' } } },
  items: {
    key: 'id',
    schema: {
      id: { type: 'string' },
      worker: { type: 'number' },
      op: { type: 'string' },
      number: { type: 'number', generated: 'autoincrement' },
      code: { type: 'string', unique: true },
    },
    indexes: ['worker'],
  },
  scratch: { key: 'id', schema: { id: { type: 'string' }, text: { type: 'string' } } },
}

/** A generator of numbers in [0, 1) from a seed: mulberry32. Source: Tommy Ettinger, public domain. */
export function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Gives every account its funds, once. */
export async function fund(store) {
  const accounts = store.bucket('accounts')
  if ((await accounts.count()) > 0) return
  await accounts.insertMany(Array.from({ length: ACCOUNTS }, (_, id) => ({ id, balance: FUNDS, op: 'fund' })))
}

/**
 * Writes for ever. `tell` is called with `{ ack: trace }` when a write has resolved and with `{ refused: trace }` when it
 * was rejected.
 *
 * @param life makes the names of writes unique among all children.
 * @param bug what the child does wrong on purpose: `ack-early` or `half`.
 */
export async function work(store, life, seed, bug, tell) {
  await Promise.all(
    Array.from({ length: WORKERS }, (_, worker) => loop(store, life, worker, random(seed + worker), bug, tell)),
  )
}

async function loop(store, life, worker, draw, bug, tell) {
  const items = store.bucket('items')
  const own = (await items.where({ worker })).map((item) => item.id)
  const state = { store, items, own, worker, draw, bug, mark: (await store.bucket('marks').findOne({ worker }))?.id }
  for (let n = 0; ; n++) {
    const op = `${life}.${worker}.${n}`
    const [name, write, trace = op] = choose(state, op)
    if (bug === 'ack-early' && name === 'transfer') tell({ ack: trace })
    try {
      await write()
      tell({ ack: trace })
    } catch (error) {
      if (error.code === 'TRANSACTION_CONFLICT') tell({ refused: trace })
      else tell({ refused: trace, broken: `${String(name)}: ${String(error)}` })
    }
  }
}

/** The next write of a worker: its kind, a function that does it, and its trace where that is not its name. */
function choose(state, op) {
  const { draw, own, items, store } = state
  const options = { durability: draw() < 0.5 ? 'disk' : 'process' }
  const dice = draw()
  if (dice < 0.45) return ['transfer', () => transfer(state, op, options)]
  if (dice < 0.6 && own.length > 0) {
    const id = own[Math.floor(draw() * own.length)]
    return ['update', () => items.update(id, { op, code: draw() < 0.5 ? op : undefined }, options)]
  }
  if (dice < 0.65)
    return [
      'scratch',
      () => store.bucket('scratch').insert({ id: op, text: 'x'.repeat(draw() * 2_000) }, options),
      UNTRACED,
    ]
  if (dice < 0.66) return ['clear', () => store.bucket('scratch').clear(options), UNTRACED]
  if (own.length < ITEMS_MAX && dice < 0.85) return ['insert', () => insert(state, [op], op, options)]
  if (own.length < ITEMS_MAX)
    return [
      'insertMany',
      () =>
        insert(
          state,
          Array.from({ length: MANY }, (_, at) => `${op}.${at}`),
          op,
          options,
        ),
    ]
  return ['delete', () => remove(state, options), `-${own[0]}`]
}

async function insert({ own, items, worker }, ids, op, options) {
  const records = ids.map((id) => ({ id, worker, op, code: id }))
  if (ids.length === 1) await items.insert(records[0], options)
  else await items.insertMany(records, options)
  own.push(...ids)
}

async function remove({ own, items }, options) {
  await items.delete(own[0], options)
  own.shift()
}

async function transfer(state, op, options) {
  const { store, worker, draw, bug, mark } = state
  const from = Math.floor(draw() * ACCOUNTS)
  const to = (from + 1 + Math.floor(draw() * (ACCOUNTS - 1))) % ACCOUNTS
  const amount = 1 + Math.floor(draw() * 10)
  const move = async (accounts, id, change) =>
    accounts.update(id, { balance: (await accounts.get(id)).balance + change, op })
  if (bug === 'half') {
    await move(store.bucket('accounts'), from, -amount)
    await move(store.bucket('accounts'), to, amount)
    return
  }
  await store.transaction(
    async (tx) => {
      await move(tx.bucket('accounts'), from, -amount)
      await move(tx.bucket('accounts'), to, amount)
      if (mark !== undefined) await tx.bucket('marks').delete(mark)
      await tx.bucket('marks').insert({ id: op, worker, op })
    },
    { ...options, retries: 50 },
  )
  state.mark = op
}
