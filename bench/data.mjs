/**
 * The records that every contestant gets: 8 fields, about 200 bytes as JSON, the same ones in every run.
 */

export const RECORDS = 100_000
/** Values of `city`, which is indexed: with 100,000 records each has 100 of them. */
export const CITIES = 1_000
/** Values of `role`, which is not indexed: a scan for one finds a tenth. */
export const ROLES = ['admin', 'author', 'buyer', 'clerk', 'driver', 'editor', 'guest', 'owner', 'seller', 'viewer']

/** The bucket as Varve takes it. The others check the same things, where they check anything. */
export const DEFINITION = {
  key: 'id',
  schema: {
    id: { type: 'string', required: true },
    name: { type: 'string', required: true, minLength: 1, maxLength: 100 },
    email: { type: 'string', required: true, format: 'email' },
    age: { type: 'number', required: true, min: 0, max: 150 },
    city: { type: 'string', required: true },
    role: { type: 'string', required: true, enum: ROLES },
    active: { type: 'boolean', required: true },
    note: { type: 'string', maxLength: 500 },
  },
  indexes: ['city'],
}

/** The same bucket with a second, unique index. */
export const DEFINITION_TWO_INDEXES = {
  ...DEFINITION,
  schema: { ...DEFINITION.schema, email: { ...DEFINITION.schema.email, unique: true } },
}

const NOTE = 'Prefers mornings, pays on time, and asks for the blue one'

/** Record number `i`. Its strings are flat, as they come from a file or a network, and not shared with other records. */
export function makeRecord(i) {
  const record = {
    id: `person-${String(i).padStart(6, '0')}`,
    name: `Ada Byron ${i}`,
    email: `ada.byron.${i}@example.com`,
    age: (i * 7) % 100,
    city: `city-${String((i * 7_919) % CITIES).padStart(3, '0')}`,
    role: ROLES[(i * 31) % ROLES.length],
    active: i % 3 !== 0,
    note: `${NOTE}; ${i}`,
  }
  return JSON.parse(JSON.stringify(record))
}

export function makeRecords(count) {
  return Array.from({ length: count }, (_, i) => makeRecord(i))
}

export function cityName(i) {
  return `city-${String(i % CITIES).padStart(3, '0')}`
}

/** A generator of numbers in [0, 1) from a seed (mulberry32), so that every run asks for the same keys. */
export function seeded(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `count` numbers below `below`, in an order without a pattern. */
export function randomNumbers(count, below, seed = 1) {
  const next = seeded(seed)
  return Array.from({ length: count }, () => Math.floor(next() * below))
}

/** `count` keys of the first `records` records; strings of their own, as a caller has them. */
export function randomKeys(count, records, seed = 1) {
  return randomNumbers(count, records, seed).map((i) => JSON.parse(`"person-${String(i).padStart(6, '0')}"`))
}

export function expect(actual, expected, what) {
  if (actual !== expected)
    throw new Error(`${what}: expected ${expected}, got ${actual}: the benchmark computed the wrong thing`)
}
