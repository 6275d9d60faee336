/**
 * Somebody who edits the document, in a process of their own. Says on stdout what is saved, and in the end what they see.
 *
 *   node editor.mjs <file> <edits> <name> [names of the others …]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore } from './open-store.mjs'
import { YjsPersistence } from './yjs-persistence.mjs'

const [file, edits, name, ...others] = process.argv.slice(2)
const say = (line) => console.log(JSON.stringify(line))

const store = await openStore(file)
const notes = await YjsPersistence.open(store, 'notes', { updatesMax: 40, pollMs: 10 })
const text = notes.doc.getText('text')
const finished = notes.doc.getMap('finished')

for (let i = 1; i <= Number(edits); i++) {
  // A line, somewhere between those of all.
  const lines = text.toString().split('\n')
  const line = Math.floor(Math.random() * lines.length)
  const at = lines.slice(0, line).join('\n').length + (line === 0 ? 0 : 1)
  text.insert(at, `${name} ${i}\n`)
  await notes.saved()
  say({ saved: `${name} ${i}` })
  await sleep(Math.random() * 5)
}
finished.set(name, true)
await notes.saved()

// What the others wrote comes by the tail.
for (const limit = Date.now() + 30_000; !others.every((other) => finished.get(other)); ) {
  if (Date.now() > limit) throw new Error(`${name} waits for ${others.join(', ')}: not finished within 30 s`)
  await sleep(10)
}
say({ name, text: text.toString() })
await notes.close()
await store.close()
