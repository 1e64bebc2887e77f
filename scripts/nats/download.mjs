// A download with a deadline, a size limit, one retry, and a checksum if the caller has one.
import { createHash } from 'node:crypto'

/**
 * @param {string} url
 * @param {{ signal?: AbortSignal | undefined, sha256?: string, timeout?: number,
 *   limit?: number }} [options] `timeout` in milliseconds for one attempt as a whole
 * @returns {Promise<Buffer>}
 */
export const download = async (url, options = {}) => {
  const { signal, sha256 } = options
  const body = await attempt(url, options).catch(error => {
    signal?.throwIfAborted()
    if (error instanceof RefusedError) throw error
    return attempt(url, options)
  })
  const actual = sha256Of(body)
  if (sha256 !== undefined && actual !== sha256)
    throw new Error(`${url} has SHA256 ${actual}, expected ${sha256}: it was not used`)
  return body
}

/** @param {Uint8Array} bytes */
export const sha256Of = bytes => createHash('sha256').update(bytes).digest('hex')

/** The server refused the request: a retry would not help. */
class RefusedError extends Error {}

/**
 * @param {string} url
 * @param {{ signal?: AbortSignal | undefined, timeout?: number, limit?: number }} options
 */
const attempt = async (url, { signal, timeout = 120_000, limit = 128 * 1024 * 1024 }) => {
  const deadline = AbortSignal.timeout(timeout)
  const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
  try {
    const response = await fetch(url, { signal: either })
    if (response.status >= 400 && response.status < 500)
      throw new RefusedError(`${url} answered ${response.status}`)
    if (!response.ok || response.body === null)
      throw new Error(`${url} answered ${response.status}`)
    return await collect(url, response.body, limit)
  } catch (error) {
    if (error instanceof RefusedError) throw error
    throw new Error(`download of ${url} failed: ${reasonOf(error)}`, { cause: error })
  }
}

/**
 * @param {string} url
 * @param {AsyncIterable<Uint8Array>} body
 * @param {number} limit
 */
const collect = async (url, body, limit) => {
  const chunks = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > limit) throw new RefusedError(`${url} is larger than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/**
 * The reason of an error in one line: `fetch` has the details in `cause`.
 *
 * @param {unknown} error
 * @returns {string}
 */
export const reasonOf = error => {
  if (!(error instanceof Error)) return String(error)
  const own = error.message === '' ? error.name : error.message
  const { cause } = error
  const isNews = cause instanceof Error && !own.includes(cause.message)
  return isNews ? `${own} (${reasonOf(cause)})` : own
}
