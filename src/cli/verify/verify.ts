import { asError } from '../../base/errors.js'
import { verifyFolder } from '../../log/file-verify.js'
import { verifySqlite } from '../../log/sqlite-verify.js'
import { REMEDIES } from '../../log/verify.js'
import type { Finding, VerifyHooks, VerifyReport } from '../../log/verify.js'
import { CliError, InterruptedError } from '../cli-error.js'
import type { CommandWorld } from '../command-world.js'
import { fileKind } from '../file-kind.js'
import { formatCount, formatDuration, formatThings, shorten } from '../format.js'
import { Page } from '../page.js'
import { Progress } from '../progress.js'

/** What the user has asked for. */
export interface VerifyOptions {
  readonly json?: boolean
}

/** What `--json` prints. */
export interface VerifyResult extends Omit<VerifyReport, 'findings'> {
  readonly varve: string
  readonly isClean: boolean
  readonly findings: readonly (Finding & { readonly remedy: string })[]
  readonly ms: number
}

const EXIT_FINDINGS = 1
const EXIT_UNREADABLE = 2
/** Findings in the table; the others are counted. */
const SHOWN_MAX = 50
const CELL_LENGTH = 90

/**
 * Checks a stored store and prints what is wrong with it. Sets the exit code to 1 where something is.
 *
 * @throws {InterruptedError} by a signal. @throws {CliError} with exit code 2: it cannot be read. Nothing was changed.
 */
export async function runVerify(file: string, options: VerifyOptions, world: CommandWorld): Promise<void> {
  const { json = false } = options
  const { out, version } = world
  const began = performance.now()
  const report = await verify(file, world, json)
  const ms = performance.now() - began
  const isClean = report.findings.length === 0
  if (json) {
    const findings = report.findings.map((finding) => ({ ...finding, remedy: REMEDIES[finding.kind] }))
    const result: VerifyResult = { varve: version, isClean, ...report, findings, ms }
    out.write(`${JSON.stringify(result, null, 2)}\n`)
  } else print(new Page(out), file, report, version, ms)
  if (!isClean) process.exitCode = EXIT_FINDINGS
}

async function verify(file: string, world: CommandWorld, json: boolean): Promise<VerifyReport> {
  let progress: Progress | undefined
  const hooks: VerifyHooks = {
    progress: (done, total) => {
      progress ??= new Progress(world.err, 'checking', total)
      progress.update(done)
    },
    pause: () => world.interrupt.check(),
  }
  try {
    return await (fileKind(file) === 'folder' ? verifyFolder : verifySqlite)(file, Date.now(), hooks)
  } catch (thrown) {
    if (thrown instanceof InterruptedError) throw new InterruptedError(thrown.signal, 'nothing was changed')
    const { message } = asError(thrown)
    if (json) world.out.write(`${JSON.stringify({ varve: world.version, path: file, error: message }, null, 2)}\n`)
    throw new CliError(message, { cause: thrown, exitCode: EXIT_UNREADABLE })
  } finally {
    progress?.end()
  }
}

function print(page: Page, file: string, report: VerifyReport, version: string, ms: number): void {
  const { adapter, first, head, entries, buckets, findings, more, openBy } = report
  const records = buckets.reduce((sum, bucket) => sum + bucket.records, 0)
  page.line(`${page.style('bold', 'varve verify')} ${page.dim(`${version} · ${file} · ${adapter}`)}`)
  page.line()
  const log =
    entries === 0
      ? 'empty'
      : `${formatThings(entries, 'entry', 'entries')}, ${formatCount(first)} to ${formatCount(head)}`
  page.list([
    ['log', log],
    ['buckets', `${formatThings(buckets.length, 'bucket')}, ${formatThings(records, 'record')}`],
    ...(openBy === undefined ? [] : ([['in use', openBy]] as const)),
  ])
  page.line()
  const count = findings.length + more
  if (count === 0) {
    page.line(`${page.good('Nothing is wrong.')} Checked in ${formatDuration(ms)}.`)
    return
  }
  page.line(page.bad(`${formatThings(count, 'thing is', 'things are')} wrong:`))
  page.line()
  const shown = findings.slice(0, SHOWN_MAX)
  page.table(
    ['what', 'where', 'why'],
    shown.map(({ kind, where, what }) => [kind, shorten(where, CELL_LENGTH), shorten(what, CELL_LENGTH)]),
  )
  if (count > shown.length)
    page.line(`… and ${formatCount(count - shown.length)} more${more > 0 ? '' : '; --json shows them'}`)
  page.line()
  page.line('What to do:')
  for (const kind of new Set(findings.map((finding) => finding.kind))) {
    page.line(`${page.style('bold', kind)}  ${REMEDIES[kind]}`)
  }
  page.line()
  page.line(`Nothing was changed. Checked in ${formatDuration(ms)}.`)
}
