import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { preview } from 'vite'
import type { PreviewServer } from 'vite'
import { runNode } from '../support/run-programs.js'
import { findChromium, launch } from './chromium.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const EXAMPLE = join(ROOT, 'examples/react-tasks')
const WAIT_MS = 10_000

const executable = findChromium()
// A machine without a browser is no reason to fail by hand; in CI it is.
const isSkipped = executable === undefined && process.env['CI'] !== 'true'
if (isSkipped)
  console.warn('tests/browser: no chromium on the PATH (apt-get install chromium), so its tests are skipped')

test('the example has the versions that it is tested with', () => {
  const read = (path: string): Record<string, Record<string, string>> =>
    JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as never
  const example = read('examples/react-tasks/package.json')
  const { varve, ...pinned } = { ...example['dependencies'], ...example['devDependencies'] }
  expect(varve).toBe('file:../..')
  expect(Object.keys(pinned).length).toBeGreaterThan(3)
  expect(read('package.json')['devDependencies']).toMatchObject(pinned)
})

describe.skipIf(isSkipped)('examples/react-tasks in a browser', () => {
  let server: PreviewServer
  let browser: Browser
  let url: string

  beforeAll(async () => {
    if (executable === undefined) throw new Error('no chromium on the PATH; in CI .ci/run installs it')
    const built = await runNode([join(ROOT, 'scripts/ensure.mjs'), 'example:build'], ROOT, 120_000)
    if (built.code !== 0) throw new Error(built.output)
    server = await preview({
      root: EXAMPLE,
      logLevel: 'warn',
      preview: { host: '127.0.0.1', port: 41_730, strictPort: false },
    })
    url = server.resolvedUrls?.local[0] ?? ''
    browser = await launch(executable)
  }, 180_000)

  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  /** A fresh profile with one page; the errors that the page meets, as texts. */
  async function open(): Promise<{
    page: Page
    errors: string[]
    another: () => Promise<Page>
    close(): Promise<void>
  }> {
    const context = await browser.newContext()
    context.setDefaultTimeout(WAIT_MS)
    const errors: string[] = []
    const another = async (): Promise<Page> => {
      const page = await context.newPage()
      page.on('pageerror', (error) => errors.push(String(error)))
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text())
      })
      await page.goto(url)
      return page
    }
    return { page: await another(), errors, another, close: () => context.close() }
  }

  const tasks = (page: Page): Promise<string[]> =>
    page.getByRole('list', { name: 'Tasks' }).locator('label').allTextContents()
  const projects = (page: Page): Promise<string[]> => page.getByRole('navigation').locator('li').allTextContents()
  const box = (page: Page, title: string): Locator => page.getByRole('checkbox', { name: title })
  const saved = (page: Page): Promise<void> => page.getByText('Saved', { exact: true }).waitFor()

  async function add(page: Page, what: string, ...texts: string[]): Promise<void> {
    for (const text of texts) {
      await page.getByRole('textbox', { name: what }).fill(text)
      await page.keyboard.press('Enter')
      await page.getByText(text).first().waitFor()
    }
  }

  test('tasks are added, ticked, filtered, sorted, counted, deleted, and are there after a reload', async () => {
    const { page, errors, close } = await open()
    await page.getByRole('heading', { name: 'Inbox' }).waitFor()
    expect(await projects(page)).toEqual(['Inbox 0'])

    await add(page, 'New task', 'write the guide', 'answer Ada', 'water the plants')
    expect(await tasks(page)).toEqual(['write the guide', 'answer Ada', 'water the plants'])
    expect(await projects(page)).toEqual(['Inbox 3'])

    await box(page, 'answer Ada').click()
    await expect.poll(() => projects(page)).toEqual(['Inbox 2'])
    expect(await box(page, 'answer Ada').isChecked()).toBe(true)

    await page.getByRole('button', { name: 'Open', exact: true }).click()
    await expect.poll(() => tasks(page)).toEqual(['write the guide', 'water the plants'])
    await page.getByRole('button', { name: 'Done', exact: true }).click()
    await expect.poll(() => tasks(page)).toEqual(['answer Ada'])
    await page.getByRole('button', { name: 'All', exact: true }).click()
    await page.getByRole('combobox', { name: 'Order' }).selectOption('Title')
    await expect.poll(() => tasks(page)).toEqual(['answer Ada', 'water the plants', 'write the guide'])
    await page.getByRole('combobox', { name: 'Order' }).selectOption('Newest')
    await expect.poll(() => tasks(page)).toEqual(['water the plants', 'answer Ada', 'write the guide'])

    await page.getByRole('button', { name: 'Delete water the plants' }).click()
    await expect.poll(() => tasks(page)).toEqual(['answer Ada', 'write the guide'])
    await add(page, 'New project', 'Garden')
    await page.getByRole('heading', { name: 'Garden' }).waitFor()
    await add(page, 'New task', 'plant a tree')
    expect(await projects(page)).toEqual(['Garden 1', 'Inbox 1'])

    await saved(page)
    await page.reload()
    await expect.poll(() => projects(page)).toEqual(['Garden 1', 'Inbox 1'])
    expect(await tasks(page)).toEqual(['plant a tree'])
    await page.getByRole('button', { name: 'Inbox' }).click()
    await expect.poll(() => tasks(page)).toEqual(['write the guide', 'answer Ada'])
    expect(await box(page, 'answer Ada').isChecked()).toBe(true)
    expect(errors).toEqual([])
    await close()
  })

  test('what the store refuses is said, and stays to be corrected', async () => {
    const { page, errors, close } = await open()
    await page.getByRole('heading', { name: 'Inbox' }).waitFor()
    await page.getByRole('textbox', { name: 'New project' }).fill('Inbox')
    await page.keyboard.press('Enter')
    expect(await page.getByRole('alert').textContent()).toMatch(/Unique constraint violation/)
    expect(await page.getByRole('textbox', { name: 'New project' }).inputValue()).toBe('Inbox')
    expect(await projects(page)).toEqual(['Inbox 0'])
    expect(errors).toEqual([])
    await close()
  })

  test('it says "Saved" when the browser has it, and not before', async () => {
    const { page, close } = await open()
    await page.getByRole('heading', { name: 'Inbox' }).waitFor()
    await saved(page)
    // Each state that the page shows from now on; the browser's own commit is held up until the test lets it go.
    await page.evaluate(`
      window.states = []
      const output = document.querySelector('output')
      new MutationObserver(() => window.states.push(output.textContent)).observe(output, { subtree: true, characterData: true, childList: true })
      const put = IDBObjectStore.prototype.put
      IDBObjectStore.prototype.put = function (value, key) {
        const store = this
        const keepOpen = () => {
          if (window.released) return void put.call(store, value, key)
          store.get('nothing').onsuccess = keepOpen
        }
        keepOpen()
      }
    `)
    await page.getByRole('textbox', { name: 'New task' }).fill('held up')
    await page.keyboard.press('Enter')
    await page.getByText('Saving …').waitFor()
    expect(await tasks(page)).toEqual([])
    await page.evaluate('window.released = true')
    await saved(page)
    await expect.poll(() => tasks(page)).toEqual(['held up'])
    expect(await page.evaluate('window.states')).toEqual(['Saving …', 'Saved'])
    await close()
  })

  test('a second tab waits for the first, and goes on with its data', async () => {
    const { page, another, errors, close } = await open()
    await page.getByRole('heading', { name: 'Inbox' }).waitFor()
    await add(page, 'New task', 'of the first tab')
    const second = await another()
    await second.getByText('Tasks are open in another tab.').waitFor()
    await saved(page)
    await page.close()
    await expect.poll(() => tasks(second), { timeout: WAIT_MS }).toEqual(['of the first tab'])
    await add(second, 'New task', 'of the second tab')
    await saved(second)
    await second.reload()
    await expect.poll(() => tasks(second), { timeout: WAIT_MS }).toEqual(['of the first tab', 'of the second tab'])
    expect(errors).toEqual([])
    await close()
  })
})
