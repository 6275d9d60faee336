import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { createElement } from 'react'
import type { FunctionComponent } from 'react'
import { renderToPipeableStream } from 'react-dom/server'
import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import { collectSnapshot, useDurable, useLive, useRecord } from '../../src/react/index.js'
import { tree } from './rendering.js'

test('the hooks work on the whole store, over a file, where there is no browser', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'varve-react-'))
  const schema = { id: { type: 'string', required: true } } as const
  const store = await Store.start({ file: join(folder, 'app.db'), buckets: { items: { key: 'id', schema } } })
  try {
    const items = store.bucket('items')
    await items.insertMany([{ id: 'a' }, { id: 'b' }])
    const App = () =>
      createElement('b', undefined, `${useLive(items.query()).length} ${useRecord(items, 'a')?.id} ${useDurable()}`)
    const collect = collectSnapshot()
    const { pipe } = renderToPipeableStream(tree(App as FunctionComponent<never>, { store, collect }))
    expect(await text(pipe(new PassThrough()))).toContain('<b>2 a true</b>')
    expect(JSON.stringify(collect.snapshot())).toContain('"id":"b"')
  } finally {
    await store.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})
