/**
 * Two editors, in two processes, on one Yjs document in a SQLite file; a third one is killed. Run it again: it goes on.
 *
 *   node examples/yjs/main.mjs [file] [--edits n]
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openStore } from './open-store.mjs'
import { YjsPersistence } from './yjs-persistence.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { edits: { type: 'string', default: '100' } },
})
const [file = 'yjs.db'] = positionals
const EDITOR = fileURLToPath(new URL('editor.mjs', import.meta.url))

/** Runs an editor to its end, or until it has saved so many lines, and is killed. @returns what it has said. */
function edit(edits, names, killAfter = Infinity) {
  const args = ['--disable-warning=ExperimentalWarning', EDITOR, file, String(edits), ...names]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = () => out.split('\n').slice(0, -1)
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
    if (lines().length >= killAfter) child.kill('SIGKILL')
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve(lines().map((line) => JSON.parse(line))))
  })
}

/** Opens the file as after a restart, and looks. */
async function reopened(work) {
  const store = await openStore(file)
  const notes = await YjsPersistence.open(store, 'notes')
  const result = await work(notes, store)
  await notes.close()
  await store.close()
  return result
}

const textOf = ({ doc }) => doc.getText('text').toString()
const missing = (text, said) => said.filter(({ saved }) => saved !== undefined && !text.includes(`${saved}\n`))
const wrongs = []
const check = (what, isSo) => {
  console.log(`${isSo ? 'ok   ' : 'WRONG'} ${what}`)
  if (!isSo) wrongs.push(what)
}

// Each run has editors of its own.
const [ann, bob, cy] = ['ann', 'bob', 'cy'].map((name) => `${name} ${randomUUID().slice(0, 8)}`)

const [anns, bobs] = await Promise.all([edit(values.edits, [ann, bob]), edit(values.edits, [bob, ann])])
const [seen, seenToo] = [anns.at(-1)?.text, bobs.at(-1)?.text]
check(`two editors at the same time see the same text, of ${seen?.length} characters`, seen === seenToo)
check('and it has all that both have saved', missing(seen ?? '', [...anns, ...bobs]).length === 0)
check('after a restart it is the same', (await reopened(textOf)) === seen)

const cys = await edit(values.edits, [cy], Number(values.edits) / 4)
const after = await reopened(textOf)
check(`an editor was killed with kill -9: its ${cys.length} saved edits are there`, missing(after, cys).length === 0)

const counts = await reopened(async (notes, store) => {
  const { records } = await store.stats()
  await notes.compact()
  return [records, (await store.stats()).records]
})
check(
  `compaction made ${counts[1]} records of ${counts[0]}, and the text is the same`,
  (await reopened(textOf)) === after,
)
if (wrongs.length > 0) process.exitCode = 1
