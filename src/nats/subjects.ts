// The subject grammar of the wire contract: compose and parse, nothing else knows it.
//
//   cairn.<ns>.log.<p>.<type>.<id>      one commit a message
//   cairn.<ns>.stored.<p>.<type>.<id>   its notice, republished by the server without body
//
// <p> is the actor's partition, <id> its id as one token, encoded so that no two ids meet.

import { type ActorAddress, checkActorId, checkActorType } from '../model/address.js'
import { partitionOf } from '../model/partition.js'

/** Name of a namespace's log stream. */
export function logStream(namespace: string): string {
  return `CAIRN_${namespace}`
}

/** All of a namespace's log subjects. */
export function logSubjects(namespace: string): string {
  return `cairn.${namespace}.log.>`
}

/** All of a namespace's notices; of one actor type, where given. */
export function noticeSubjects(namespace: string, type?: string): string {
  return type === undefined
    ? `cairn.${namespace}.stored.>`
    : `cairn.${namespace}.stored.*.${type}.*`
}

/** The notices of every namespace that the connection may see. */
export const noticeSubjectsOfAll = 'cairn.*.stored.>'

/** The log subjects of one actor type. */
export function logSubjectsOfType(namespace: string, type: string): string {
  return `cairn.${namespace}.log.*.${type}.*`
}

/** Where an actor's commits are published. */
export function logSubject(
  namespace: string,
  actor: ActorAddress,
  partitions: number,
): string {
  const partition = partitionOf(actor, partitions)
  return `cairn.${namespace}.log.${partition}.${actor.type}.${encodeToken(actor.id)}`
}

export interface ParsedSubject {
  readonly namespace: string
  /** The partition token as it stands; whether it is the actor's is for the caller to check. */
  readonly partition: string
  readonly actor: ActorAddress
}

/** The actor that a log or notice subject names; `undefined` when it is no such subject. */
export function parseSubject(subject: string): ParsedSubject | undefined {
  const [root, namespace, family, partition, type, token, ...rest] = subject.split('.')
  if (root !== 'cairn' || (family !== 'log' && family !== 'stored') || rest.length > 0)
    return undefined
  if (namespace === undefined || partition === undefined || type === undefined)
    return undefined
  const id = token === undefined ? undefined : decodeToken(token)
  if (id === undefined) return undefined
  try {
    return {
      namespace,
      partition,
      actor: { type: checkActorType(type), id: checkActorId(id) },
    }
  } catch {
    return undefined // A name outside the grammar: the subject is not one of ours.
  }
}

// Percent-encoding over UTF-8 is injective because "%" itself is encoded. encodeURIComponent
// leaves letters, digits and - _ . ! ~ * ' ( ) as they are; of these only "." and "*" mean
// something in a subject.
const safeToken = /^[A-Za-z0-9_-]+$/

/** Any non-empty string as one subject token; two strings never share a token. */
export function encodeToken(text: string): string {
  if (safeToken.test(text)) return text
  return encodeURIComponent(text).replaceAll('.', '%2E').replaceAll('*', '%2A')
}

/** The inverse; `undefined` for a token that {@link encodeToken} would not write. */
export function decodeToken(token: string): string | undefined {
  if (safeToken.test(token)) return token
  try {
    const text = decodeURIComponent(token)
    return text !== '' && encodeToken(text) === token ? text : undefined
  } catch {
    return undefined // Not percent-encoded UTF-8.
  }
}
