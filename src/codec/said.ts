// What a commit says ⇄ its part of the envelope: a header that tells what there is, and the
// rest in the body.

import { checkAddress, formatAddress } from '../model/address.js'
import { CairnError, messageOf } from '../model/errors.js'
import { type Said, saidMax } from '../model/said.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import { checkData } from './data.js'
import { decodeList, encodeList } from './headers.js'

/** In the header, in the place of a topic. */
export const commandMark = '>'

export type SaidBody =
  | { readonly topic: string; readonly version: number; readonly data?: unknown }
  | {
      readonly to: readonly [type: string, id: string]
      readonly command: string
      readonly data?: unknown
    }

/** Throws `invalid-data`, `invalid-actor-id`, or `commit-too-large` when it is too much. */
export function encodeSaid(says: readonly Said[]): SaidBody[] {
  if (says.length > saidMax)
    throw new CairnError(
      'commit-too-large',
      `A commit says ${says.length} things, and the limit is ${saidMax}: say less at once.`,
      { details: { limit: saidMax, actual: says.length } },
    )
  return says.map(said => {
    if (said.kind === 'message') {
      const { topic, version, data } = said
      checkData(data, `data of a message on ${topic}`)
      return { topic, version, data }
    }
    const { type, id } = checkAddress(said.actor)
    const { type: command, data } = said
    checkData(data, `data of command ${show(command)} to ${formatAddress(said.actor)}`)
    return { to: [type, id], command, data }
  })
}

export function saidHeader(says: readonly Said[]): string {
  return encodeList(
    says.map(said => (said.kind === 'message' ? said.topic : commandMark)),
  )
}

/** What the header lists; `undefined` without one, `null` for one that cannot be read. */
export function decodeSaidHeader(value: string | undefined): string[] | undefined | null {
  if (value === undefined) return undefined
  for (let count = 1; count <= saidMax; count++) {
    const list = decodeList(value, count)
    if (list !== undefined) return list
  }
  return null
}

/** Why the body is not what the header says. */
export function findSaidProblem(
  body: unknown,
  header: readonly string[] | undefined,
): string | undefined {
  if (body === undefined && header === undefined) return undefined
  if (!Array.isArray(body) || body.length !== header?.length)
    return 'what its body says is not what its Cairn-Says header lists'
  for (const [i, said] of (body as (Partial<SaidBody> | null)[]).entries()) {
    const problem = said === null ? 'it is empty' : problemOf(said, header[i]!)
    if (problem !== undefined) return `${i + 1} of what its body says: ${problem}`
  }
  return undefined
}

function problemOf(said: Partial<SaidBody>, listed: string): string | undefined {
  if ('topic' in said)
    return said.topic === listed && isCount(said.version) ? undefined : 'no message'
  const { to, command } = said as Partial<Extract<SaidBody, { to: unknown }>>
  if (listed !== commandMark || typeof command !== 'string' || !Array.isArray(to))
    return 'no command'
  try {
    checkAddress({ type: to[0], id: to[1] })
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** Only for a body without a problem. */
export function decodeSaid(body: readonly SaidBody[]): Said[] {
  return body.map((said): Said => {
    if ('topic' in said) {
      const { topic, version, data } = said
      return { kind: 'message', topic, version, data }
    }
    const [type, id] = said.to
    return { kind: 'command', actor: { type, id }, type: said.command, data: said.data }
  })
}
