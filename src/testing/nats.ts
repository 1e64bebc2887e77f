// A nats-server for tests: a process of its own, with its files in a temporary folder.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { loadServerScripts } from '../local/server-scripts.js'
import { checkOptions } from '../model/check-options.js'

export interface TestNatsOptions {
  /** Gives up the search, the download and the start. */
  readonly signal?: AbortSignal
  /** Whether a server is downloaded if none is found. Default true. */
  readonly download?: boolean
}

export interface TestNats extends AsyncDisposable {
  /** For example `nats://127.0.0.1:20123`, for `jetstream({ servers })`. */
  readonly url: string
  /** Of the server, such as `2.14.5`. */
  readonly version: string
  /** Ends the server and removes its files. May be called again. */
  stop(): Promise<void>
}

/**
 * Starts a nats-server with JetStream on a free port of this machine, some 50 ms if it need not be downloaded.
 *
 * The executable is that of `CAIRN_NATS_SERVER`, or of the PATH, or of Cairn's cache; else it is downloaded into the cache.
 * Throws if there is none, with what was tried and what to do; `invalid-option`; the reason of the signal.
 */
export async function testNats(options: TestNatsOptions = {}): Promise<TestNats> {
  checkOptions('testNats', options, { signal: true, download: true })
  const { signal, download = true } = options
  const { ensureNatsServer, startServer } = await loadServerScripts()
  const { path } = await ensureNatsServer({ download, signal })
  const dir = await mkdtemp(join(tmpdir(), 'cairn-test-nats-'))
  const remove = () => rm(dir, { recursive: true, force: true, maxRetries: 3 })
  try {
    const server = await startServer({ path, dir, signal })
    let stopped: Promise<void> | undefined
    const stop = () => (stopped ??= server.stop().then(remove))
    return {
      url: server.url,
      version: server.version,
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await remove()
    throw error
  }
}
