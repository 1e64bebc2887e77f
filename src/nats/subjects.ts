// The subject grammar of the wire contract: compose and parse, nothing else knows it.
//
//   cairn.<ns>.log.<p>.<type>.<id>      one commit a message
//   cairn.<ns>.stored.<p>.<type>.<id>   its notice, republished by the server without body
//   cairn.<ns>.inbox.<p>.<type>.<id>    a command that waits
//   cairn.<ns>.topic.<topic>            a message that plain code published
//   cairn.<ns>.dead.<…>                 what nobody could handle
//   cairn.<ns>.timer.<p>.<type>.<id>.<name>    a timer that waits
//   cairn.<ns>.due.<p>.<type>.<id>      one that was due
//   cairn.<ns>.queued.<family>.<…>      the news of one of inbox, topic, dead and due, without body
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

/** Families of subjects whose records wait in a stream of their own. */
export type QueueFamily = 'inbox' | 'topic' | 'dead' | 'due'

const queueSuffix: Readonly<Record<QueueFamily, string>> = {
  inbox: 'INBOX',
  topic: 'TOPICS',
  dead: 'DLQ',
  // The server wants both in one stream: what waits, and what was due.
  due: 'TIMERS',
}

/** Name of the stream of a queue. */
export function queueStream(namespace: string, family: QueueFamily): string {
  return `CAIRN_${namespace}_${queueSuffix[family]}`
}

/** All subjects of a queue. */
export function queueSubjects(namespace: string, family: QueueFamily): string {
  return `cairn.${namespace}.${family}.>`
}

/** Where the server tells of records that were stored in a queue. */
export function queuedSubjects(namespace: string, family: QueueFamily): string {
  return `cairn.${namespace}.queued.${family}.>`
}

/** Where a record with this key is put; each name is one token. */
export function queueSubject(
  namespace: string,
  family: QueueFamily,
  key: readonly string[],
): string {
  return `cairn.${namespace}.${family}.${key.map(encodeToken).join('.')}`
}

/** The key that a queue's subject names; `undefined` when it is none of ours. */
export function parseQueueSubject(
  subject: string,
  namespace: string,
  family: QueueFamily,
): string[] | undefined {
  return parseKey(subject, `cairn.${namespace}.${family}.`)
}

function parseKey(subject: string, prefix: string): string[] | undefined {
  if (!subject.startsWith(prefix)) return undefined
  const names = subject.slice(prefix.length).split('.').map(decodeToken)
  return names.some(name => name === undefined) ? undefined : (names as string[])
}

/** Where a timer waits: the names of its actor's place, and its own. */
export function timerSubject(namespace: string, key: readonly string[]): string {
  return `cairn.${namespace}.timer.${key.map(encodeToken).join('.')}`
}

/** All of a namespace's timers; of one actor, where its place is given. */
export function timerSubjects(namespace: string, place?: readonly string[]): string {
  return place === undefined
    ? `cairn.${namespace}.timer.>`
    : `${timerSubject(namespace, place)}.*`
}

/** The key that a timer's subject names; `undefined` when it is none of ours. */
export function parseTimerSubject(
  subject: string,
  namespace: string,
): string[] | undefined {
  return parseKey(subject, `cairn.${namespace}.timer.`)
}

/** The key-value bucket of a namespace's documents: its stream, and what its subjects begin with. */
export function documentsBucketOf(namespace: string): { stream: string; prefix: string } {
  const bucket = `CAIRN_${namespace}_GROUPS`
  return { stream: `KV_${bucket}`, prefix: `$KV.${bucket}` }
}

/** The key-value bucket of a namespace's read models. */
export function readModelsBucketOf(namespace: string): {
  stream: string
  prefix: string
} {
  const bucket = `CAIRN_${namespace}_VIEWS`
  return { stream: `KV_${bucket}`, prefix: `$KV.${bucket}` }
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
