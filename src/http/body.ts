// Reads the body of a request, within a bound.

import { messageOf } from '../model/errors.js'
import { Problem } from './problem.js'

/** The JSON value of a body; `undefined` for an empty one. Throws a problem. */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  const bytes = await readBytes(request, bytesMax)
  if (bytes.length === 0) return undefined
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type))
    throw new Problem(
      'unsupported-media-type',
      `The body is ${type === '' ? 'of no type' : type.slice(0, 100)}: send JSON, with content-type: application/json.`,
    )
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown
  } catch (error) {
    throw new Problem('invalid-request', `The body is not JSON (${messageOf(error)}).`)
  }
}

async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new Problem(
      'body-too-large',
      `The body has more than ${bytesMax} bytes: send less, and store large data elsewhere.`,
    )
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) throw tooLarge()
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let length = 0
  // Leaving the loop cancels the body.
  for await (const chunk of request.body as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > bytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
