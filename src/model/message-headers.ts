// The headers that an application gives a message: which names and values are valid.

import { CairnError } from './errors.js'
import { show } from './show.js'

const namePattern = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/
const headersMax = 32
const bytesMax = 8_192

/** Names of headers with a meaning of their own. `traceparent` is an option of its own. */
const reserved = /^(?:cairn-|nats-|traceparent$)/i

/** Whether a header of a stored message is one of its application. */
export function isMessageHeader(name: string): boolean {
  return namePattern.test(name) && !reserved.test(name)
}

/**
 * The headers as they are stored; `undefined` for none. Throws `invalid-message`.
 *
 * @param topic where the message is published
 */
export function checkMessageHeaders(
  topic: string,
  headers: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined {
  if (headers === undefined) return undefined
  const where = `headers of a message on ${topic}`
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers))
    throw invalid(`The ${where} are ${show(headers)}: pass texts by name.`)
  const entries = Object.entries(headers)
  if (entries.length > headersMax)
    throw invalid(
      `The ${where} are ${entries.length}: at most ${headersMax} are stored. Put the rest in the data.`,
    )
  let bytes = 0
  for (const [name, value] of entries) {
    if (!namePattern.test(name))
      throw invalid(
        `The ${where} have the name ${show(name)}: use 1 to 64 characters of A-Z, a-z, 0-9, "_", "." and "-", a letter first.`,
      )
    if (reserved.test(name))
      throw invalid(
        /^traceparent$/i.test(name)
          ? `The ${where} have the name ${show(name)}: pass it as the option traceparent.`
          : `The ${where} have the name ${show(name)}: names that begin with "Cairn-" or "Nats-" are reserved. Use another prefix.`,
      )
    if (typeof value !== 'string' || !value.isWellFormed())
      throw invalid(`The ${where} have ${show(value)} as ${name}: use well-formed text.`)
    bytes += name.length + Buffer.byteLength(value)
  }
  if (bytes > bytesMax)
    throw invalid(
      `The ${where} have ${bytes} bytes: at most ${bytesMax} are stored, names included. Put large values in the data.`,
    )
  return entries.length === 0 ? undefined : { ...headers }
}

/** Whether a stored value is the headers of a message, or their absence. */
export function areMessageHeaders(
  headers: unknown,
): headers is Readonly<Record<string, string>> | undefined {
  return (
    headers === undefined ||
    (typeof headers === 'object' &&
      headers !== null &&
      Object.entries(headers).every(
        ([name, value]) => isMessageHeader(name) && typeof value === 'string',
      ))
  )
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-message', message)
}
