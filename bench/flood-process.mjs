// The processes that offer work at a rate (flood.mjs).
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { startProgram } from './node-process.mjs'

const program = fileURLToPath(new URL('flood.mjs', import.meta.url))

/**
 * @typedef {{ rate: number, ms: number, timeout: number, pending: number }} Load
 * @typedef {{ offered: number, done: number, errors: Record<string, number>, perSecond: number, p50: number,
 *   p99: number, memory: number }} Came
 * @typedef {object} Flood
 * @property {Promise<unknown>} ready
 * @property {(load: Load) => Promise<Came>} offer
 * @property {() => Promise<unknown>} stop
 */

/**
 * @param {{ kind: string, namespace: string, servers: string, id: string }} options
 * @returns {Flood}
 */
export const startFlood = ({ kind, namespace, servers, id }) => {
  const { child, ended, stderr } = startProgram([program, kind, namespace, servers, id])
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the flood has ended: ${stderr()}`)
    return value
  }
  const ready = next()
  ready.catch(() => {})
  return {
    ready,
    async offer(load) {
      child.stdin?.write(`${JSON.stringify(load)}\n`)
      return JSON.parse(await next())
    },
    stop() {
      child.kill('SIGKILL')
      return ended
    },
  }
}
