// What the system says of other processes. Linux tells; elsewhere nothing is known.
import { readFileSync } from 'node:fs'

/** Milliseconds in a tick of the clock in which processor time is told. */
const tick = 10

/**
 * Milliseconds of processor time that they have taken since they were started; 0 where the system does not say.
 *
 * @param {readonly number[]} pids
 */
export const processorTime = pids =>
  sum(pids, pid => {
    // The second field, the name, may hold anything; user and system time are the 14th and 15th.
    const fields = read(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')
    return fields === undefined ? 0 : (Number(fields[11]) + Number(fields[12])) * tick
  })

/**
 * Bytes that they have in memory; NaN where the system does not say, or there are none.
 *
 * @param {readonly number[]} pids
 */
export const memoryOf = pids =>
  pids.length === 0
    ? NaN
    : sum(pids, pid => {
        const [, kilobytes] =
          /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '') ?? []
        return Number(kilobytes ?? NaN) * 1024
      })

/**
 * @param {readonly number[]} pids
 * @param {(pid: number) => number} figure
 */
const sum = (pids, figure) => pids.reduce((sum, pid) => sum + figure(pid), 0)

/** @param {string} path */
const read = path => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
