// runPlugin(): a child process that hosts handlers, and the door that it registers at.
//
// Owns the child, the socket and the nodes of one run.
// RUN-PLUGIN-1. A child that ends is started again, after a delay that doubles while it does not last.
// RUN-PLUGIN-2. Stopping drains first: the child gets no more work, finishes what it has, and is told to end by SIGTERM. It is
//     killed when it does not.
// RUN-PLUGIN-3. Only the child knows the way in: a socket in a folder of its own, and a token.
// RUN-PLUGIN-4. A child ends with its parent, however that ended: its standard input closes, and so does its call.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type Backend, CairnError, type Logger, startNode } from 'cairn-es'

import { serveGrpc } from '../door/serve.js'
import type { PluginChange } from './host.js'

export interface RunPluginOptions {
  readonly namespace: string
  readonly backend: Backend
  /** The program and its arguments. */
  readonly command: readonly string[]
  /** The plugin that must register. Default: any. */
  readonly plugin?: { readonly name: string; readonly version?: string } | undefined
  /** Ends the run. */
  readonly signal: AbortSignal
  readonly log?: Logger | false | undefined
  readonly onEvent?: ((event: PluginRunEvent) => void) | undefined
}

export type PluginRunEvent =
  | PluginChange
  | { readonly kind: 'started'; readonly pid: number }
  | {
      readonly kind: 'ended'
      readonly pid: number
      readonly code: number | null
      readonly signal: NodeJS.Signals | null
      /** Milliseconds until the next start; absent if there is none. */
      readonly restartIn?: number
    }

const delayFirst = 200
const delayMax = 30_000
/** Milliseconds after which a child has lasted. */
const lasting = 10_000
/** Milliseconds for a child to end after SIGTERM. */
const endTimeout = 5_000

/**
 * Runs until the signal fires. The child gets `CAIRN_DOOR` (`unix:PATH`), `CAIRN_TOKEN` and `CAIRN_NS`. Throws
 * `invalid-option` if the program cannot be started, and `invalid-definition` if its manifest is refused.
 */
export async function runPlugin(options: RunPluginOptions): Promise<void> {
  const { namespace, backend, command, plugin, signal, log, onEvent = () => {} } = options
  const folder = await mkdtemp(join(tmpdir(), 'cairn-plugin-'))
  const token = randomBytes(24).toString('hex')
  const refused = new AbortController()
  const stopping = AbortSignal.any([signal, refused.signal])
  try {
    await using node = await startNode({
      namespace,
      store: backend,
      ...(log !== undefined && { log }),
    })
    await using door = await serveGrpc({
      node,
      backend,
      listen: `unix:${join(folder, 'door.sock')}`,
      tokens: [{ principal: 'plugin', token }],
      ...(plugin !== undefined && { plugin }),
      ...(log !== undefined && { log }),
      onPlugin(change) {
        onEvent(change)
        if (change.kind === 'refused') refused.abort(change.error)
      },
    })
    const env = {
      ...process.env,
      CAIRN_DOOR: door.address,
      CAIRN_TOKEN: token,
      CAIRN_NS: namespace,
    }
    await supervise(command, env, stopping, () => door.drain(), onEvent)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  if (refused.signal.aborted && !signal.aborted) throw refused.signal.reason
}

/** RUN-PLUGIN-1, RUN-PLUGIN-2. */
async function supervise(
  [program, ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  stopping: AbortSignal,
  drain: () => Promise<void>,
  onEvent: (event: PluginRunEvent) => void,
): Promise<void> {
  let delay = delayFirst
  while (!stopping.aborted) {
    const startedAt = performance.now()
    // RUN-PLUGIN-4.
    const child = spawn(program!, args, { env, stdio: ['pipe', 'inherit', 'inherit'] })
    const ended = endOf(child, program!)
    const pid = child.pid
    if (pid !== undefined) onEvent({ kind: 'started', pid })
    const first = await Promise.race([ended, aborted(stopping)])
    if (first === undefined) {
      await drain()
      await stop(child, ended)
    }
    const { code, signal } = await ended
    if (performance.now() - startedAt > lasting) delay = delayFirst
    if (stopping.aborted) {
      onEvent({ kind: 'ended', pid: pid!, code, signal })
      return
    }
    onEvent({ kind: 'ended', pid: pid!, code, signal, restartIn: delay })
    await pause(delay, stopping)
    delay = Math.min(delayMax, delay * 2)
  }
}

interface ChildEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

function endOf(child: ChildProcess, program: string): Promise<ChildEnd> {
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', cause => {
      // A child that runs already could only not be signalled.
      if (child.pid !== undefined) return
      reject(
        new CairnError(
          'invalid-option',
          `${program} cannot be started: ${cause.message}. Pass the program of the plugin after "--".`,
          { cause },
        ),
      )
    })
  })
  ended.catch(() => {})
  child.stdin?.on('error', () => {})
  return ended
}

async function stop(child: ChildProcess, ended: Promise<ChildEnd>): Promise<void> {
  child.kill('SIGTERM')
  const inTime = new AbortController()
  void ended.then(() => inTime.abort())
  await pause(endTimeout, inTime.signal)
  if (!inTime.signal.aborted) child.kill('SIGKILL')
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise(resolve => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(end, ms)
    function end() {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    signal.addEventListener('abort', end, { once: true })
  })
}
