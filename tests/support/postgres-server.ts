import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A PostgreSQL server for tests. */
export interface PostgresServer {
  /** Where to connect: a folder with its socket, user and database, as `pg` takes them. */
  readonly connection: { readonly host: string; readonly user: string; readonly database: string }
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

const VERSIONS = '/usr/lib/postgresql'
/** The account that has no rights: PostgreSQL refuses to run as root. */
const NOBODY = 65_534

/** The folder with `initdb` and `postgres`, as Debian has it; `undefined`: there is none. */
export function postgresBinaries(): string | undefined {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS) : []
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(VERSIONS, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')))
}

/**
 * Why the tests cannot run here; `undefined`: they can.
 *
 * @throws under CI, where they have to.
 */
export function postgresMissing(): string | undefined {
  if (postgresBinaries() !== undefined) return undefined
  const reason = `there is no PostgreSQL under ${VERSIONS}; install it (apt-get install postgresql)`
  if (process.env['CI'] === 'true') throw new Error(reason)
  return reason
}

/** Starts a server in a new folder, whose text is ordered as people in America do, and not by bytes. */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = postgresBinaries()
  if (bin === undefined) throw new Error('there is no PostgreSQL')
  const folder = mkdtempSync(join(tmpdir(), 'varve-pg-'))
  const isRoot = process.getuid?.() === 0
  if (isRoot) chownSync(folder, NOBODY, NOBODY)
  const as = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []
  const run = (name: string, ...args: string[]): [command: string, args: string[]] => {
    const [command = '', ...rest] = [...as, join(bin, name), ...args]
    return [command, rest]
  }
  const data = join(folder, 'data')
  const collation = ['--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US', '--encoding=UTF8']
  const made = run('initdb', '-D', data, '-U', 'tester', '-A', 'trust', '-N', ...collation)
  execFileSync(made[0], made[1], { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder })
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off', 'max_connections=200']
  const started = run('postgres', '-D', data, ...settings.flatMap((setting) => ['-c', setting]))
  const server = spawn(started[0], started[1], { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder })
  const end = (): void => void server.kill('SIGQUIT')
  process.once('exit', end)
  await ready(server)
  return {
    connection: { host: folder, user: 'tester', database: 'postgres' },
    async stop() {
      process.removeListener('exit', end)
      const ended = new Promise<void>((resolve) => void server.once('exit', () => resolve()))
      server.kill('SIGINT')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = ''
    server.stderr?.on('data', (text: Buffer) => {
      log += String(text)
      if (log.includes('ready to accept connections')) resolve()
    })
    server.once('exit', (code) => reject(new Error(`postgres ended with ${code}: ${log}`)))
    server.once('error', reject)
  })
}
