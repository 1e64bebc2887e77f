// Where `cairn dev` keeps its data: a server that runs, one that it starts, or a directory.

import { connect } from 'node:net'
import { join } from 'node:path'

import { loadServerScripts } from '../local/server-scripts.js'
import { messageOf } from '../model/errors.js'
import { backendFlags, natsFlags, type ParsedFlags, textFlag } from '../program/flags.js'

export interface DevStore extends AsyncDisposable {
  /** The flags that name it. */
  readonly args: readonly string[]
  readonly what: string
  /** Resolves when the server that was started has ended. */
  readonly ended: Promise<unknown>
}

const folder = join('.cairn', 'dev')

export async function findStore(
  flags: ParsedFlags,
  port: number,
  signal: AbortSignal,
): Promise<DevStore> {
  const isNamed =
    [...natsFlags, 'embedded'].some(name => flags.values[name] !== undefined) ||
    ['NATS_URL', 'CAIRN_EMBEDDED'].some(name => Boolean(process.env[name])) ||
    flags.config !== undefined
  if (isNamed) return existing(namedArgs(flags), nameOf(flags))
  const url = `nats://127.0.0.1:${port}`
  if (await answers(port)) return existing(['--nats', url], `the NATS server at ${url}`)
  return (
    (await startedServer(port, signal)) ??
    existing(
      ['--embedded', folder],
      `${folder}, since no nats-server is here (install one, or set CAIRN_NATS_SERVER)`,
    )
  )
}

function existing(args: readonly string[], what: string): DevStore {
  return { args, what, ended: new Promise(() => {}), async [Symbol.asyncDispose]() {} }
}

function namedArgs(flags: ParsedFlags): readonly string[] {
  return [...natsFlags, 'embedded', 'config'].flatMap(name => {
    const value = flags.values[name]
    if (value === undefined) return []
    return value === true ? [`--${name}`] : [`--${name}`, String(value)]
  })
}

function nameOf(flags: ParsedFlags): string {
  const dir = textFlag(flags, 'embedded')
  if (dir !== undefined) return `the embedded store in ${dir}`
  return backendFlags(flags) || 'the store of the environment or the config file'
}

/** Whether something listens on the port of this machine. */
async function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 1_000 })
    const end = (found: boolean) => {
      socket.destroy()
      resolve(found)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
  })
}

/** `undefined` where no nats-server is installed. */
async function startedServer(
  port: number,
  signal: AbortSignal,
): Promise<DevStore | undefined> {
  const { ensureNatsServer, startServer } = await loadServerScripts()
  let path: string
  try {
    ;({ path } = await ensureNatsServer({ download: false, signal }))
  } catch (error) {
    if (signal.aborted || process.env['CAIRN_NATS_SERVER']) throw error
    return undefined
  }
  try {
    const server = await startServer({
      path,
      dir: join(folder, 'nats'),
      name: 'cairn-dev',
      port,
      syncInterval: 'always',
      signal,
    })
    return {
      args: ['--nats', server.url],
      what: `NATS ${server.version} at ${server.url}, started here with its data in ${folder}/nats`,
      ended: server.ended,
      [Symbol.asyncDispose]: () => server.stop(),
    }
  } catch (error) {
    throw new Error(
      `The nats-server ${path} does not start: ${messageOf(error)}. Use another --port, or --embedded.`,
      { cause: error },
    )
  }
}
