/**
 * The benchmark: `npm run bench`, or a part of it with `npm run bench:crud` and so on; see `USAGE`. Prints a table, and records what was measured in bench/results/latest.json. Fails when a result is wrong; a missed
 * target is marked ✗ and is no failure.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { RECORDS } from './data.mjs'
import { measure, summarize, threadTime } from './measure.mjs'
import { table } from './table.mjs'

const GROUPS = {
  crud: async (options) => (await import('./cases/crud.mjs')).crudCases(options),
  queries: async (options) => (await import('./cases/queries.mjs')).queryCases(options),
  reactive: async (options) => (await import('./cases/reactive.mjs')).reactiveCases(options),
  live: async (options) => (await import('./cases/live.mjs')).liveCases(options),
  durable: async (options) => (await import('./cases/durable.mjs')).durableCases(options),
  events: async (options) => (await import('./cases/events.mjs')).eventCases(options),
  streams: async (options) => (await import('./cases/streams.mjs')).streamCases(options),
  open: async (options) => (await import('./cases/open.mjs')).openCases(options),
  heap: async (options) => (await import('./cases/heap.mjs')).heapCases(options),
  size: async (options) => (await import('./cases/size.mjs')).sizeCases(options),
}
const LATEST = fileURLToPath(new URL('./results/latest.json', import.meta.url))

const USAGE = `npm run bench -- [crud|queries|reactive|live|durable|events|streams|open|heap|size] … [options]

Runs Varve beside other libraries and beside what can be done at best, and prints a table.

  --only <case>     one case by its name
  --rounds <n>      measured rounds (default 7; at least 5 are recorded)
  --quick           small and short, to see that it works; nothing is recorded
  --no-peers        only Varve and the limits
  --json <file>     results as JSON, - for stdout
  --dir <folder>    where files are made (default: the folder for temporary files)
  --cpu             for cases in memory count the time that this thread was running, not the wall clock: for busy machines
                    (Linux, in steps of up to 4 ms); collection in other threads is then not counted
  --help            this text`

const { values: flags, positionals } = parsed({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    'no-peers': { type: 'boolean', default: false },
    cpu: { type: 'boolean', default: false },
    json: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(USAGE)
  process.exit(0)
}
for (const name of positionals) {
  if (!Object.hasOwn(GROUPS, name)) fail(`unknown part "${name}"; it is one of ${Object.keys(GROUPS).join(', ')}`)
}
if (globalThis.gc === undefined)
  say('without --expose-gc garbage of one contestant is collected on the time of another')

const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 7))
const options = {
  records: flags.quick ? 2_000 : RECORDS,
  scale: flags.quick ? 0.02 : 1,
  dir: flags.dir,
  peers: flags['no-peers'] ? [] : await loadPeers(),
}
const machine = {
  cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
  memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
  system: `${process.platform} ${release()}`,
  node: process.versions.node,
}

const done = []
for (const group of positionals.length > 0 ? positionals : Object.keys(GROUPS)) {
  const { cases, close } = await GROUPS[group](options)
  for (const one of cases) {
    if (flags.only !== undefined && one.name !== flags.only) continue
    say(`${group}: ${one.title} …`)
    const warmups = one.warmups ?? 1
    // What waits for a disk does not run meanwhile.
    const clock = flags.cpu && ['crud', 'queries', 'reactive', 'live'].includes(group) ? { clock: threadTime } : {}
    const ownRounds = one.rounds === undefined || flags.quick || flags.rounds !== undefined ? rounds : one.rounds
    const results = summarize(
      one.rows,
      await measure(one.rows, {
        rounds: ownRounds,
        warmups: flags.quick ? 0 : warmups,
        isValue: one.isValue,
        ...clock,
      }),
    )
    done.push({
      group,
      name: one.name,
      title: one.title,
      date: new Date().toISOString(),
      rounds: ownRounds,
      clock: clock.clock === undefined ? 'wall' : 'thread',
      ...machine,
      results,
    })
  }
  await close?.()
}
if (done.length === 0) fail(`there is no case "${flags.only}"`)

const text = [
  `${machine.cpu}, ${machine.memory}, ${machine.system}, Node ${machine.node}, ${new Date().toISOString().slice(0, 10)}`,
  `${options.records} records of 8 fields; medians, smallest and largest of ${rounds} interleaved rounds; the ratio is the median of each round's`,
  '',
  table(done),
].join('\n')
if (flags.json !== '-') process.stdout.write(`${text}\n`)
const json = `${JSON.stringify({ machine, records: options.records, cases: done }, undefined, 2)}\n`
if (flags.json === '-') process.stdout.write(json)
else if (flags.json !== undefined) writeFileSync(flags.json, json)
if (!flags.quick) record()
// Some peers leave timers behind.
process.exit(0)

/** Puts what was measured into latest.json, in the place of what was measured before under the same name. */
function record() {
  mkdirSync(fileURLToPath(new URL('./results', import.meta.url)), { recursive: true })
  const measured = new Set(done.map(({ group, name }) => `${group}/${name}`))
  const kept = readLatest().filter(({ group, name }) => !measured.has(`${group}/${name}`))
  const order = Object.keys(GROUPS)
  const cases = [...kept, ...done].sort((a, b) => order.indexOf(a.group) - order.indexOf(b.group))
  writeFileSync(LATEST, `${JSON.stringify({ machine, records: options.records, cases }, undefined, 2)}\n`)
}

function readLatest() {
  try {
    return JSON.parse(readFileSync(LATEST, 'utf8')).cases
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
}

async function loadPeers() {
  const { peers } = await import('./contestants/peers.mjs')
  return peers
}

function say(message) {
  process.stderr.write(`bench: ${message}\n`)
}

function parsed(config) {
  try {
    return parseArgs(config)
  } catch (error) {
    return fail(`${error.message}\n\n${USAGE}`)
  }
}

function fail(message) {
  process.stderr.write(`bench: ${message}\n`)
  process.exit(1)
}
