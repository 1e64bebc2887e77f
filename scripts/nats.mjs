// `npm run nats`: a NATS server with JetStream for development, in the foreground. Every
// acknowledged write is synced to the disk first (`sync_interval: always`), as in production.
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import {
  ensureNatsServer,
  FolderInUseError,
  PortInUseError,
  startServer,
} from './nats-server.mjs'

const USAGE = `Usage: npm run nats -- [--port 4222] [--store-dir .cairn/nats] [--replicas 1|3]

  --port N        port for clients on 127.0.0.1; with --replicas 3 also N+1 and N+2
  --store-dir D   directory of the data
  --replicas 3    a cluster of three servers; routes on N+2000 and the two after it`

/** @typedef {{ port: number, storeDir: string, replicas: number }} Flags */
/** @typedef {import('./nats/server.mjs').RunningServer} RunningServer */

/**
 * @param {string[]} args
 * @returns {Flags | 'help'}
 * @throws if the command line is invalid
 */
const readFlags = args => {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: 'string', default: '4222' },
      'store-dir': { type: 'string', default: join('.cairn', 'nats') },
      replicas: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 1 || port > 63_000)
    throw new Error(`--port ${values.port}: give a whole number from 1 to 63000`)
  if (values.replicas !== '1' && values.replicas !== '3')
    throw new Error(`--replicas ${values.replicas}: give 1 or 3`)
  return { port, storeDir: values['store-dir'], replicas: Number(values.replicas) }
}

/**
 * @param {string} path
 * @param {Flags} flags
 * @param {AbortSignal} signal
 * @returns {Promise<RunningServer[]>}
 */
const startAll = async (path, { port, storeDir, replicas }, signal) => {
  if (replicas === 1) {
    const options = { path, dir: storeDir, name: 'cairn', port, signal }
    return [await startServer({ ...options, syncInterval: 'always' })]
  }
  const numbers = Array.from({ length: replicas }, (_, index) => index)
  const routes = numbers.map(index => `nats://127.0.0.1:${port + 2000 + index}`)
  const starts = await Promise.allSettled(
    numbers.map(index =>
      startServer({
        path,
        dir: join(storeDir, `nats-${index + 1}`),
        name: `nats-${index + 1}`,
        port: port + index,
        cluster: { name: 'cairn', port: port + 2000 + index, routes },
        syncInterval: 'always',
        signal,
      }),
    ),
  )
  const servers = starts.flatMap(start =>
    start.status === 'fulfilled' ? [start.value] : [],
  )
  const failed = starts.find(start => start.status === 'rejected')
  if (failed === undefined) return servers
  await Promise.all(servers.map(server => server.stop()))
  throw failed.reason
}

/** @param {unknown} error */
const explain = error => {
  if (error instanceof PortInUseError)
    return `${error.message}. Stop what uses it, or choose another: npm run nats -- --port N`
  if (error instanceof FolderInUseError)
    return `${error.message}. Use that one or stop it, or choose another --store-dir and --port.`
  return messageOf(error)
}

/** @param {Flags} flags */
const main = async flags => {
  const stopping = new AbortController()
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => stopping.abort())
  const { signal } = stopping
  const stopped = new Promise(resolve => {
    signal.addEventListener('abort', () => resolve('stopped'), { once: true })
  })

  const { path } = await ensureNatsServer({ signal, log: line => console.error(line) })
  const servers = await startAll(path, flags, signal)
  const urls = servers.map(server => server.url).join(',')
  const version = servers[0]?.version
  const folder = relative('', flags.storeDir) || '.'
  console.log(
    `NATS ${version} is ready at ${urls}, data in ${folder}; press Ctrl-C to stop it.`,
  )
  const ends = servers.map(async server => {
    const how = await server.ended
    return `${server.name}: ${how}; the end of its log:\n${server.log()}`
  })
  const end = await Promise.race([stopped, ...ends])
  await Promise.all(servers.map(server => server.stop()))
  if (end === 'stopped') return
  throw new Error(`a server ended unexpectedly. ${end}`)
}

/** @param {unknown} error */
const messageOf = error => (error instanceof Error ? error.message : String(error))

try {
  const flags = readFlags(process.argv.slice(2))
  if (flags === 'help') console.log(USAGE)
  else
    await main(flags).catch(error => {
      // Stopped by the user before it was ready.
      if (error instanceof Error && error.name === 'AbortError') return
      console.error(explain(error))
      process.exitCode = 1
    })
} catch (error) {
  console.error(`${messageOf(error)}\n\n${USAGE}`)
  process.exitCode = 2
}
