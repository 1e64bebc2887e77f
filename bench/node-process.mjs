// Real nodes for the benchmarks: `node dist/node.js`, as users run it.
//
// Owns the processes it has started. None outlives this one: what is left is killed when this
// process exits.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from './wait.mjs'

const program = fileURLToPath(new URL('node.js', import.meta.resolve('cairn-es')))
const actors = fileURLToPath(new URL('actors.mjs', import.meta.url))

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * @typedef {object} NodeProcess
 * @property {string} id
 * @property {() => void} drain SIGTERM
 * @property {() => Promise<void>} kill SIGKILL; resolves when it is gone
 * @property {() => boolean} isGone
 * @property {() => number | null} exitCode
 */

/**
 * Starts a program of the bench or of the package, whose life ends with this process's.
 *
 * @param {readonly string[]} args
 */
export const startProgram = args => {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  running.add(child)
  let stderr = ''
  child.stderr.on('data', (/** @type {Buffer} */ chunk) => {
    stderr = (stderr + chunk.toString()).slice(-4096)
  })
  const ended = once(child, 'exit').then(() => running.delete(child))
  return { child, ended, stderr: () => stderr, isGone: () => !running.has(child) }
}

/**
 * Starts a node that hosts the counters, and resolves when it says that it is ready.
 *
 * @param {{ id: string, namespace: string, servers: string, signal: AbortSignal }} options
 * @returns {Promise<NodeProcess>}
 */
export const startNodeProcess = async ({ id, namespace, servers, signal }) => {
  const place = ['--ns', namespace, '--nats', servers]
  const { child, ended, stderr, isGone } = startProgram([
    program,
    ...place,
    '--id',
    id,
    '--actors',
    actors,
  ])
  let isReady = false
  createInterface({ input: child.stdout }).on('line', line => {
    if (line.includes('"msg":"node ready"')) isReady = true
  })
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  try {
    await until(
      `node ${id} is ready`,
      () => {
        if (isGone()) throw new Error(`node ${id} ended before it was ready: ${stderr()}`)
        return isReady
      },
      { signal },
    )
  } catch (error) {
    await kill()
    throw error
  }
  return {
    id,
    kill,
    isGone,
    drain: () => void child.kill('SIGTERM'),
    exitCode: () => child.exitCode,
  }
}
