// Real nats-server processes for the tests, each in a temporary folder of its own.
//
// Several test files run at once: ports are chosen by trying (see scripts/nats/server.mjs),
// and a restarted server gets the port, the folder and the configuration it had.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configText } from '../../../scripts/nats/config.mjs'
import { ensureNatsServer, startServer } from '../../../scripts/nats-server.mjs'
import { until } from '../wait.js'

export interface NatsOptions {
  /** Its name, unique in a cluster. Default: that of its folder. */
  readonly name?: string
  /** Whether JetStream is on. Default true. */
  readonly jetstream?: boolean
  /** `always`, or a duration such as `10s`. Default: the server's own, 2 minutes. */
  readonly syncInterval?: string
  /** Bytes. Default: the server's own, 1 MiB. */
  readonly maxPayload?: number
  /** Who may connect, as in the configuration's `authorization.users`. Default: anyone. */
  readonly users?: readonly NatsUser[]
  /** Further lines of configuration, for example an `accounts` block. */
  readonly config?: string
  /** A fixed port. Default: a free one. */
  readonly port?: number
  readonly cluster?: { name: string; port: number; routes: string[] }
}

export interface NatsUser {
  readonly user: string
  readonly password: string
  readonly permissions?: object
}

export interface NatsServer extends AsyncDisposable {
  /** For example `nats://127.0.0.1:20123`, the same after a restart. */
  readonly url: string
  readonly port: number
  /** Of the current process; another after a restart. */
  readonly pid: number
  readonly name: string
  readonly version: string
  /** Configuration, log and, in `jetstream`, the data. Removed by disposing. */
  readonly dir: string
  /** What this process logged, at most its last 25 lines. */
  log(): string
  /** Ends it in good order; does nothing if it is down. */
  stop(): Promise<void>
  /** SIGKILL; resolves when it is gone. Does nothing if it is down. */
  kill(): Promise<void>
  /** Starts it again, stopping it first if it is up; resolves when it greets clients. */
  restart(): Promise<void>
  /** Changes its configuration and reloads it (SIGHUP): clients stay connected. */
  reload(changes: Pick<NatsOptions, 'maxPayload' | 'users' | 'config'>): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void
  /** SIGCONT. */
  resume(): void
}

/** Starts a server; resolves when it greets clients, about 20 ms later. */
export const startNats = async (options: NatsOptions = {}): Promise<NatsServer> => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-nats-'))
  const removeDir = () => rm(dir, { recursive: true, force: true, maxRetries: 3 })
  try {
    return await startIn(dir, options, removeDir)
  } catch (error) {
    await removeDir()
    throw error
  }
}

const startIn = async (
  dir: string,
  options: NatsOptions,
  removeDir: () => Promise<void>,
): Promise<NatsServer> => {
  const { path } = await ensureNatsServer()
  let server = await startServer({ ...options, path, dir })
  const { port, url, name, version } = server
  const kill = async () => {
    server.signal('SIGKILL')
    await server.ended
  }
  return {
    url,
    port,
    name,
    version,
    dir,
    get pid() {
      return server.pid
    },
    log: () => server.log(),
    stop: () => server.stop(),
    kill,
    async restart() {
      await server.stop()
      server = await startServer({ ...options, path, dir, port, name })
    },
    async reload(changes) {
      const file = (part: string) => join(dir, `nats-server.${part}`)
      const reloads = async () =>
        (await readFile(file('log'), 'utf8')).split('Reloaded server configuration')
          .length
      const before = await reloads()
      const config = { ...options, ...changes, name, host: '127.0.0.1', port, dir }
      await writeFile(file('conf'), configText(config))
      server.signal('SIGHUP')
      await until(async () => (await reloads()) > before, { describe: 'it has reloaded' })
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await kill() // its files are about to go, so nothing is worth an orderly end
      await removeDir()
    },
  }
}
