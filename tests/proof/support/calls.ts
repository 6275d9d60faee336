import fc from 'fast-check'
import type { Plain, PlainBucket } from './plain-store.js'
import { Refused } from './plain-store.js'

/** One call of a handle: the same data drives the store and the model. */
export interface Call {
  readonly bucket: string
  readonly method: string
  readonly key: number
  readonly list: readonly Plain[]
  readonly filter: Plain
  readonly n: number
}

const WRITES = [
  'insert',
  'insert',
  'insert',
  'insertMany',
  'update',
  'update',
  'updateIf',
  'upsert',
  'updateMany',
  'delete',
  'deleteMany',
  'clear',
]
const READS = [
  'get',
  'has',
  'all',
  'keys',
  'where',
  'findOne',
  'count',
  'countAll',
  'first',
  'last',
  'pages',
  'sum',
  'avg',
  'min',
  'max',
]

const role = fc.constantFrom('admin', 'admin', 'user', 'user', 'user', 'nobody')
const fields = fc.record(
  {
    email: fc.constantFrom('e1', 'e2', 'e3', undefined),
    role,
    age: fc.nat(3),
    extra: fc.constantFrom(null, undefined, [1], { a: 'ä' }),
  },
  { requiredKeys: [] },
)
const filter = fc.oneof(
  fc.constant({}),
  fc.record({ role }),
  fc.record({ age: fc.nat(3) }),
  fc.record({ role, age: fc.nat(3) }),
  fc.record({ email: fc.constantFrom('e1', null) }),
)

/** @param without methods to leave out. */
export function anyCall(buckets: readonly string[], without: readonly string[] = []): fc.Arbitrary<Call> {
  return fc.record<Call>({
    bucket: fc.constantFrom(...buckets),
    method: fc.constantFrom(...[...WRITES, ...WRITES, ...READS].filter((method) => !without.includes(method))),
    key: fc.nat(5),
    list: fc.array(fields, { minLength: 3, maxLength: 3 }),
    filter,
    n: fc.nat(4),
  })
}

/** The key that a number stands for in a bucket; notes have numbers, the others letters. */
function keyOf(bucket: string, n: number): string | number {
  return bucket === 'notes' ? n + 1 : 'abcdefghi'.charAt(n)
}

/** Record data `at` of a call, under its own key. In notes every second record leaves the key to the counter. */
function dataOf({ bucket, key, list }: Call, at: number): Plain {
  const data = list[at] ?? {}
  const { role: _role, ...rest } = data
  // A role that does not exist is refused by users only; elsewhere it is a value like any other.
  const fitting = bucket === 'users' ? data : { ...rest, role: data.role }
  if (bucket === 'notes' && (key + at) % 2 === 0) return fitting
  return { ...fitting, id: keyOf(bucket, key + at) }
}

/** Does the call on a handle: of a bucket, or of one in a transaction. */
export async function onHandle(handle: any, call: Call): Promise<unknown> {
  const { bucket, method, n } = call
  const key = keyOf(bucket, call.key)
  const changes = call.list[1] ?? {}
  switch (method) {
    case 'insert':
    case 'upsert':
      return handle[method](dataOf(call, 0))
    case 'insertMany':
      return handle.insertMany([dataOf(call, 0), dataOf(call, 1), dataOf(call, 2)].slice(0, n))
    case 'update':
      return handle.update(key, changes)
    case 'updateIf':
      return handle.update(key, changes, { ifVersion: n })
    case 'updateMany':
      return handle.updateMany(call.filter, changes)
    case 'get':
    case 'has':
    case 'delete':
      return handle[method](key)
    case 'all':
    case 'keys':
    case 'clear':
      return handle[method]()
    case 'countAll':
      return handle.count()
    case 'first':
    case 'last':
      return handle[method](n)
    case 'pages':
      return pages(handle, n + 1)
    case 'sum':
    case 'avg':
    case 'min':
    case 'max':
      return handle[method]('age', call.filter)
    default:
      return handle[method](call.filter)
  }
}

async function pages(handle: any, limit: number): Promise<unknown> {
  const seen: unknown[] = []
  for (let after: unknown; ; ) {
    const { records, hasMore, nextCursor } = await handle.paginate({ limit, after })
    seen.push(...records)
    if (!hasMore) return seen
    after = nextCursor
  }
}

/** Does the call on the model. @throws {Refused} */
export function onPlain(plain: PlainBucket, call: Call, now: number, touches: boolean): unknown {
  const { bucket, method, n, filter: by } = call
  const key = keyOf(bucket, call.key)
  const changes = call.list[1] ?? {}
  const { definition } = plain
  const numbers = plain.where(by).flatMap(({ age }) => (typeof age === 'number' ? [age] : []))
  const sum = numbers.reduce((total, one) => total + one, 0)
  const keys = (records: readonly Plain[]): unknown[] => records.map((record) => record[definition.key])
  switch (method) {
    case 'insert':
      return plain.insert(dataOf(call, 0), now)
    case 'insertMany':
      return [0, 1, 2].slice(0, n).map((at) => plain.insert(dataOf(call, at), now))
    case 'upsert':
      return plain.upsert(dataOf(call, 0), now)
    case 'update':
      return plain.update(key, changes, now)
    case 'updateIf':
      return plain.update(key, changes, now, n)
    case 'updateMany':
      return keys(plain.where(by)).map((one) => plain.update(one, changes, now)).length
    case 'delete':
      return plain.delete(key)
    case 'deleteMany':
      return keys(plain.where(by)).map((one) => plain.delete(one)).length
    case 'clear':
      return plain.clear()
    case 'get':
      if (touches && plain.get(key) !== undefined) plain.use(key)
      return plain.get(key)
    case 'has':
      return plain.get(key) !== undefined
    case 'all':
      return plain.records
    case 'keys':
      return keys(plain.ordered())
    case 'where':
      return plain.where(by)
    case 'findOne':
      return plain.where(by)[0]
    case 'count':
      return plain.where(by).length
    case 'countAll':
      return plain.records.length
    case 'first':
      return plain.ordered().slice(0, n)
    case 'last':
      return n === 0 ? [] : plain.ordered().slice(-n)
    case 'pages':
      return plain.ordered()
    case 'sum':
      return sum
    case 'avg':
      return numbers.length === 0 ? 0 : sum / numbers.length
    case 'min':
      return numbers.length === 0 ? undefined : Math.min(...numbers)
    case 'max':
      return numbers.length === 0 ? undefined : Math.max(...numbers)
    default:
      throw new Error(`the model has no ${method}`)
  }
}

/** What a call came to: its value, or the code of its refusal. */
export type Outcome = { readonly value: unknown } | { readonly refused: string }

export async function outcomeOf(promise: Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await promise }
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === undefined) throw error
    return { refused: code }
  }
}

export function plainOutcome(call: () => unknown): Outcome {
  try {
    return { value: call() }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { refused: error.code }
  }
}
