// Runs another program to its end, and finds programs on the PATH.
import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * @typedef {object} RunOptions
 * @property {Uint8Array} [input] what the program reads from stdin
 * @property {AbortSignal | undefined} [signal]
 * @property {number} [timeout] milliseconds until it is killed, default 60,000
 * @property {number} [limit] bytes it may write to stdout, default 256 MiB
 */

/**
 * Runs a program to its end and returns its stdout. Rejects if its exit code is not 0; the message
 * contains the end of its stderr.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<Buffer>}
 */
export const run = async (program, args, options) => {
  const { code, stdout, stderr } = await execute(program, args, options)
  if (code === 0) return stdout
  throw new Error(
    `${program} ${args.join(' ')} ended with code ${code}: ${stderr.trim()}`,
  )
}

/**
 * The same without checking the exit code. Rejects if the program
 * cannot be started, is killed, takes too long or writes too much.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<{ code: number, stdout: Buffer, stderr: string }>}
 */
export const execute = (program, args, options = {}) => {
  const { input, signal, timeout = 60_000, limit = 256 * 1024 * 1024 } = options
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { signal, killSignal: 'SIGKILL' })
    // Not `spawn`'s own option: its timer keeps running if the program cannot be started.
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
    /** @type {Buffer[]} */
    const chunks = []
    let size = 0
    let stderr = ''
    child.stdout.on('data', (/** @type {Buffer} */ chunk) => {
      size += chunk.length
      if (size > limit) child.kill('SIGKILL')
      else chunks.push(chunk)
    })
    child.stderr.on('data', chunk => {
      stderr = `${stderr}${chunk}`.slice(-10_000)
    })
    // A program may end before it has read all its input: then its exit code counts.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.on('error', error => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', code => {
      clearTimeout(timer)
      if (code !== null && size <= limit)
        return resolve({ code, stdout: Buffer.concat(chunks), stderr })
      const limits = `its limits are ${timeout} ms and ${limit} bytes of output`
      reject(new Error(`${program} ${args.join(' ')} was killed; ${limits}`))
    })
  })
}

/**
 * All executable files with this name on the PATH, in its order.
 *
 * @param {string} name
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string[]}
 */
export const findOnPath = (name, env = process.env) =>
  (env['PATH'] ?? '')
    .split(delimiter)
    .filter(folder => folder !== '')
    .map(folder => join(folder, name))
    .filter(isExecutable)

/** @param {string} path */
const isExecutable = path => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false // absent or not ours to run: both mean "look further"
  }
}
