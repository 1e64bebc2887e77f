// One running nats-server process.
//
// Owns the process, and its folder's configuration and log file.
//
// NATS-SERVER-1. `startServer` resolves once the server has greeted a TCP client. Otherwise the
//     process has ended, and the error contains the last lines of its log.
// NATS-SERVER-2. The process does not outlive this one, however this one ends: a shell waits for the
//     end of a pipe that only this process holds open, then kills it.
// NATS-SERVER-3. A chosen port is below the range that systems use for outgoing
//     connections. So it stays free while the server is down for a restart, and a
//     reconnecting client cannot connect to itself.
import { spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { basename, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { configText } from './config.mjs'

const FIRST_PORT = 16_000
const LAST_PORT = 31_999
const ATTEMPTS = 20
const LOG_LIMIT = 4 * 1024 * 1024
const LOG_LINES = 25

/** The server's port, `port`, is in use. */
export class PortInUseError extends Error {
  /** @param {number} port */
  constructor(port) {
    super(`port ${port} is already in use`)
    this.name = 'PortInUseError'
    this.port = port
  }
}

/** Another running server, at `url`, uses the files. */
export class FolderInUseError extends Error {
  /**
   * @param {string} dir
   * @param {string} url
   */
  constructor(dir, url) {
    super(`the nats-server at ${url} already keeps its files in ${dir}`)
    this.name = 'FolderInUseError'
    this.url = url
  }
}

/**
 * @typedef {object} OwnOptions
 * @property {string} path of the executable, see `ensureNatsServer`
 * @property {string} dir where configuration, log and JetStream's files go; created
 * @property {string} [name] the server's name, default: the name of its folder
 * @property {string} [host] default 127.0.0.1
 * @property {number} [port] 0, the default, chooses a free one
 * @property {number} [timeout] milliseconds until it must be ready, default 20,000
 * @property {AbortSignal | undefined} [signal] aborts a start
 *
 * @typedef {OwnOptions & Omit<import('./config.mjs').ServerConfig, keyof OwnOptions>}
 *   StartOptions
 */

/**
 * @typedef {object} RunningServer
 * @property {string} url for example `nats://127.0.0.1:20123`
 * @property {number} port
 * @property {number} pid
 * @property {string} name
 * @property {string} version reported by the server
 * @property {string} dir
 * @property {Promise<string>} ended resolves with how the process ended, never rejects
 * @property {(signal: NodeJS.Signals) => void} signal sends a signal, unless the process has ended
 * @property {(timeout?: number) => Promise<void>} stop SIGTERM, and SIGKILL after
 *   `timeout` milliseconds (10,000); resolves when the process has ended
 * @property {() => string} log the last lines logged since its start, at most 25
 */

/**
 * @param {StartOptions} options
 * @returns {Promise<RunningServer>}
 * @throws {PortInUseError} when `port` was given and is taken
 * @throws {FolderInUseError} when a running server uses `dir`
 */
export const startServer = async options => {
  if (options.port) return startOn(options.port, options)
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(randomPort(), options)
    } catch (error) {
      // Two processes may choose the same port at once: the server's bind decides.
      if (!(error instanceof PortInUseError) || attempt === ATTEMPTS) throw error
    }
  }
}

/** A random port to try (NATS-SERVER-3). It may be in use. */
export const randomPort = () =>
  FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1))

/**
 * @param {number} port
 * @param {StartOptions} options
 * @returns {Promise<RunningServer>}
 */
const startOn = async (port, options) => {
  const { path, host = '127.0.0.1', timeout = 20_000, signal } = options
  const dir = resolve(options.dir)
  const name = options.name ?? basename(dir)
  signal?.throwIfAborted()
  mkdirSync(dir, { recursive: true })
  await claimFolder(dir, name)
  const configFile = join(dir, 'nats-server.conf')
  writeFileSync(configFile, configText({ ...options, name, host, port, dir }))

  const logFile = openLog(join(dir, 'nats-server.log'))
  // In its own session: Ctrl-C in a terminal reaches only this process, which then decides.
  const child = spawn(path, ['-c', configFile], {
    detached: true,
    stdio: ['ignore', logFile.descriptor, logFile.descriptor],
  })
  closeSync(logFile.descriptor)
  const ended = endOf(child)
  const { pid } = child
  if (pid === undefined) throw new Error(`${path} could not be started: ${await ended}`)
  killWithUs(pid, ended)

  const stop = stopper(child, ended)
  try {
    const version = await greeting({
      host,
      port,
      portsFile: join(dir, `${basename(path)}_${pid}.ports`),
      timeout,
      signal,
      ended,
    })
    return {
      url: `nats://${host}:${port}`,
      port,
      pid,
      name,
      version,
      dir,
      ended,
      signal: kind => void child.kill(kind),
      stop,
      log: logFile.end,
    }
  } catch (error) {
    await stop(1000)
    signal?.throwIfAborted()
    throw startError(error, logFile.end())
  }
}

/**
 * Two servers would corrupt shared files, and nats-server does not check. A killed
 * server leaves its ports file, so this checks whether a server answers at the port.
 *
 * @param {string} dir
 * @param {string} name
 */
const claimFolder = async (dir, name) => {
  for (const entry of readdirSync(dir).filter(entry => entry.endsWith('.ports'))) {
    const file = join(dir, entry)
    const url = /"(nats:[^"]+)"/.exec(readFileSync(file, 'utf8'))?.[1]
    if (url !== undefined) {
      const { hostname, port } = new URL(url)
      const line = await firstLine(hostname, Number(port), AbortSignal.timeout(1000))
      if (line.includes(`"server_name":${JSON.stringify(name)}`))
        throw new FolderInUseError(dir, url)
    }
    rmSync(file, { force: true })
  }
}

/** @param {string} path */
const openLog = path => {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const from = size > LOG_LIMIT ? 0 : size
  return {
    descriptor: openSync(path, from === 0 ? 'w' : 'a'),
    end: () =>
      readFileSync(path)
        .subarray(from)
        .toString('utf8')
        .trim()
        .split('\n')
        .slice(-LOG_LINES)
        .join('\n'),
  }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<string>}
 */
const endOf = child =>
  new Promise(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `it ended with code ${code}` : `${signal} ended it`),
    )
  })

/**
 * NATS-SERVER-2: An 'exit' handler is not enough: it does not run when a signal ends this process.
 *
 * @param {number} pid
 * @param {Promise<string>} ended
 */
const killWithUs = (pid, ended) => {
  const guard = spawn('sh', ['-c', 'read -r _; kill -9 "$0"', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.on('error', error =>
    process.emitWarning(`nats-server ${pid} may outlive this process: ${error.message}`),
  )
  guard.unref()
  // The pipe's handle is a socket. Neither it nor the child may keep this process alive.
  const pipe = /** @type {import('node:net').Socket} */ (guard.stdin)
  pipe.unref()
  // Another process may get the pid once it is free: end the guard first.
  void ended.then(() => guard.kill('SIGKILL'))
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {Promise<string>} ended
 * @returns {(timeout?: number) => Promise<void>}
 */
const stopper =
  (child, ended) =>
  async (timeout = 10_000) => {
    child.kill('SIGTERM')
    child.kill('SIGCONT') // a paused process would not notice
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
    await ended
    clearTimeout(timer)
  }

/**
 * Waits until the server has written its ports file, then connects until it greets with
 * its INFO line, and returns the version in it. The file distinguishes this server from another
 * program on the same port, which could greet before this server reports the conflict.
 *
 * @param {{ host: string, port: number, portsFile: string, timeout: number,
 *   ended: Promise<string>, signal: AbortSignal | undefined }} options
 * @returns {Promise<string>}
 */
const greeting = async ({ host, port, portsFile, timeout, signal, ended }) => {
  const deadline = AbortSignal.timeout(timeout)
  const limit = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
  let hasEnded = ''
  void ended.then(how => {
    hasEnded = how
  })
  while (true) {
    if (hasEnded !== '') throw new Error(hasEnded)
    if (limit.aborted) throw new Error(`it was not ready within ${timeout} ms`)
    if (existsSync(portsFile)) {
      const line = await firstLine(host, port, limit)
      const version = /^INFO .*"version":"([^"]+)"/.exec(line)?.[1]
      if (version !== undefined) return version
    }
    await delay(5)
  }
}

/**
 * The first line that a server sends, or '' if no connection can be made.
 *
 * @param {string} host
 * @param {number} port
 * @param {AbortSignal} limit
 * @returns {Promise<string>}
 */
const firstLine = async (host, port, limit) => {
  const socket = connect({ host, port, signal: limit })
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', chunk => {
    text += chunk
    if (text.includes('\n') || text.length > 64 * 1024) socket.destroy()
  })
  socket.on('error', () => {}) // not listening yet: 'close' follows, and the caller retries
  await new Promise(done => socket.once('close', done))
  return text
}

/**
 * @param {unknown} error
 * @param {string} log
 */
const startError = (error, log) => {
  const reason = error instanceof Error ? error.message : String(error)
  const taken = /:(\d+): bind: address already in use/.exec(log)?.[1]
  if (taken !== undefined) return new PortInUseError(Number(taken))
  return new Error(`nats-server did not start: ${reason}; the end of its log:\n${log}`)
}
