/**
 * The torture: children commit on a file and are killed with SIGKILL at random; after each kill the file is opened and
 * judged. Says in the end how many kills, commits and violations there were; the exit code is 1 when there was one. See `USAGE`.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Judge } from './judge.mjs'
import { openStore } from './place.mjs'
import { random } from './workload.mjs'

const CHILD = join(dirname(fileURLToPath(import.meta.url)), 'child.mjs')
const BUGS = ['ack-early', 'half']
/** Every fourth life ends so long after its start, in milliseconds: while the store is being opened, mostly. */
const OPENING_MS_MAX = 300
/** The others end so long after the store was opened. */
const WRITING_MS_MAX = 350
/** A child that is not ready by then hangs. */
const READY_MS_MAX = 30_000
/** The log is read from its first entry after so many kills; in between, from where it was. */
const WHOLE_EVERY = 20
const VIOLATIONS_SHOWN = 20

const USAGE = `npm run torture -- [options]

Kills processes that commit on a file, again and again, and checks what is left. Ends with 1 when something was lost.

  --minutes <n>              how long (default 1)
  --adapter <sqlite|file>    what they write with (default sqlite)
  --lanes <n>                files at a time (default 2)
  --seed <n>                 replays the same moments (default a random one, which is printed)
  --planted-bug [ack-early|half]   a bug that has to be found
  --stop-early               at the first violation
  --json                     the result as one JSON document
  --help                     this text`

const options = readOptions()
const root = mkdtempSync(join(tmpdir(), 'varve-torture-'))
const total = { kills: 0, commits: 0, acks: 0, cut: 0, violations: [] }
const began = performance.now()
if (!options.json)
  console.log(`torture: ${String(options.adapter)}, ${String(options.minutes)} minutes, seed ${String(options.seed)}`)
await Promise.all(Array.from({ length: options.lanes }, (_, lane) => runLane(lane)))
report()

function readOptions() {
  // The name of the bug may be left out.
  const args = process.argv.slice(2)
  const at = args.indexOf('--planted-bug')
  if (at !== -1 && !BUGS.includes(args[at + 1])) args.splice(at + 1, 0, BUGS[0])
  const text = { type: 'string' }
  const flag = { type: 'boolean' }
  const known = {
    minutes: text,
    seed: text,
    adapter: text,
    lanes: text,
    'planted-bug': text,
    json: flag,
    'stop-early': flag,
    help: flag,
  }
  const { values } = parsed(args, known)
  if (values.help === true) {
    console.log(USAGE)
    process.exit(0)
  }
  const {
    minutes = '1',
    seed = String(Math.floor(Math.random() * 2 ** 31)),
    adapter = 'sqlite',
    lanes = '2',
    json = false,
  } = values
  if (!['sqlite', 'file'].includes(adapter)) refuse(`--adapter: expected sqlite or file, got ${String(adapter)}`)
  for (const [name, value] of Object.entries({ minutes, seed, lanes })) {
    if (!(Number(value) > 0)) refuse(`--${name}: expected a number above 0, got ${String(value)}`)
  }
  const bug = values['planted-bug'] ?? '-'
  const enough = values['stop-early'] === true ? 1 : VIOLATIONS_SHOWN
  return { enough, minutes: Number(minutes), seed: Number(seed), lanes: Number(lanes), adapter, bug, json }
}

function parsed(args, known) {
  try {
    return parseArgs({ args, options: known })
  } catch (error) {
    return refuse(error.message)
  }
}

function refuse(problem) {
  console.error(`torture: ${problem}\n\n${USAGE}`)
  process.exit(2)
}

/** One file, and its children one after another. */
async function runLane(lane) {
  const folder = join(root, String(lane))
  const judge = new Judge()
  mkdirSync(folder)
  const draw = random(options.seed * 31 + lane)
  for (let life = 0; performance.now() - began < options.minutes * 60_000; life++) {
    const told = await runLife(folder, `${lane}.${life}`, draw)
    const before = judge.head
    const store = await open(folder)
    if (store === undefined) return
    const isWhole = life % WHOLE_EVERY === WHOLE_EVERY - 1
    note(lane, life, await judge.check(store, told))
    if (isWhole) note(lane, life, await judge.check(store, { acks: [], refused: [], broken: [] }, true))
    total.kills += 1
    total.acks += told.acks.length
    total.commits += judge.head - before
    total.cut += store.openReport.truncatedBytes
    await store.stop()
    if (total.violations.length >= options.enough) return
  }
}

async function open(folder) {
  try {
    return await openStore(options.adapter, folder)
  } catch (error) {
    total.violations.push(`${folder} does not open: ${error.message}`)
    return undefined
  }
}

function note(lane, life, wrong) {
  for (const one of wrong) total.violations.push(`lane ${lane}, life ${life}: ${one}`)
}

/** Runs a child until it is killed. @returns what it said. */
function runLife(folder, life, draw) {
  const seed = String(Math.floor(draw() * 2 ** 31))
  const isOpening = draw() < 0.25
  const lifeMs = draw() * (isOpening ? OPENING_MS_MAX : WRITING_MS_MAX)
  const told = { acks: [], refused: [], broken: [] }
  const args = ['--disable-warning=ExperimentalWarning', CHILD, options.adapter, folder, life, seed, options.bug]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let errors = ''
  let isKilled = false
  const kill = () => {
    isKilled = true
    child.kill('SIGKILL')
  }
  let timer = setTimeout(kill, isOpening ? lifeMs : READY_MS_MAX)
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const isReady = out === '' && !isOpening
    out += text
    if (!isReady) return
    clearTimeout(timer)
    timer = setTimeout(kill, lifeMs)
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer)
      hear(out, told)
      if (out === '' && !isOpening) told.broken.push(`the child was not ready after ${READY_MS_MAX} ms`)
      if (!isKilled) told.broken.push(`the child ended by itself with code ${code}: ${errors.slice(-500)}`)
      else if (errors !== '') told.broken.push(`the child said: ${errors.slice(-500)}`)
      resolve(told)
    })
  })
}

function hear(out, told) {
  // The kill may have come within the last line.
  for (const line of out.slice(0, out.lastIndexOf('\n') + 1).split('\n')) {
    if (line === '') continue
    const { ack, refused, broken } = JSON.parse(line)
    if (ack !== undefined) told.acks.push(ack)
    if (refused !== undefined) told.refused.push(refused)
    if (broken !== undefined) told.broken.push(`${refused} failed: ${broken}`)
  }
}

function report() {
  const seconds = (performance.now() - began) / 1_000
  const { kills, commits, acks, cut, violations } = total
  const result = {
    adapter: options.adapter,
    seed: options.seed,
    seconds,
    kills,
    killsPerSecond: kills / seconds,
    commits,
  }
  if (options.json) console.log(JSON.stringify({ ...result, acknowledged: acks, bytesCut: cut, violations }))
  else {
    console.log(`${kills} kills (${(kills / seconds).toFixed(1)} per second), ${commits} commits, ${acks} acknowledged`)
    if (cut > 0) console.log(`${cut} bytes of unfinished writes were cut`)
    for (const one of violations.slice(0, VIOLATIONS_SHOWN)) console.log(`VIOLATION ${String(one)}`)
    console.log(`${violations.length} violations, seed ${options.seed}`)
  }
  if (violations.length === 0 || options.bug !== '-') rmSync(root, { recursive: true, force: true })
  if (violations.length > 0) {
    if (!options.json && options.bug === '-') console.log(`the files are in ${root}`)
    process.exitCode = 1
  }
}
