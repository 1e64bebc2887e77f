// The subject grammar of the wire format. Only this file composes and parses subjects.
//
//   cairn.<ns>.log.<p>.<type>.<id>      one message per commit
//   cairn.<ns>.stored.<p>.<type>.<id>   its notice, republished by the server without the body
//   cairn.<ns>.inbox.<p>.<type>.<id>    a durable command
//   cairn.<ns>.topic.<topic>            a topic message published outside an actor (those of actors are in the log)
//   cairn.<ns>.dead.<…>                 a dead letter
//   cairn.<ns>.timer.<p>.<type>.<id>.<name>    a timer that is not due
//   cairn.<ns>.timer.complete          the marker: all timers are in their stream
//   cairn.<ns>.due.<p>.<type>.<id>      a timer that is due
//   cairn.<ns>.queued.<family>.<…>      a record of inbox, topic, dead or due, republished without the body
//   cairn.<ns>.ask.<type>               requests to any node that serves a type
//   cairn.<ns>.node.<node>              requests to one node
//   cairn.<ns>.members                  heartbeats
//   cairn.<ns>.who, .who.<type>         requests for the list of members
//   cairn.<ns>.alive.<node>             probes from nodes of earlier versions
//
// <p> is the actor's partition, <id> its id as one token, encoded so that different ids give different tokens.

import { type ActorAddress, checkActorId, checkActorType } from '../model/address.js'
import { partitionOf } from '../model/partition.js'

/** Name of a namespace's log stream. */
export function logStream(namespace: string): string {
  return `CAIRN_${namespace}`
}

/** All log subjects of a namespace. */
export function logSubjects(namespace: string): string {
  return `cairn.${namespace}.log.>`
}

/**
 * The notices of a namespace, or of all for which the connection has permission (`*`): all of them, those of one actor type, or
 * those of one actor.
 */
export function noticeSubjects(namespace: string, type?: string, id?: string): string {
  const stored = `cairn.${namespace}.stored`
  if (type === undefined) return `${stored}.>`
  return `${stored}.*.${type}.${id === undefined ? '*' : encodeToken(id)}`
}

/** The log subjects of one actor type. */
export function logSubjectsOfType(namespace: string, type: string): string {
  return `cairn.${namespace}.log.*.${type}.*`
}

/** The subject of an actor's commits. */
export function logSubject(
  namespace: string,
  actor: ActorAddress,
  partitions: number,
): string {
  const partition = partitionOf(actor, partitions)
  return `cairn.${namespace}.log.${partition}.${actor.type}.${encodeToken(actor.id)}`
}

/** Families of subjects whose records have their own stream. */
export type QueueFamily = 'inbox' | 'topic' | 'dead' | 'due'

const queueSuffix: Readonly<Record<QueueFamily, string>> = {
  inbox: 'INBOX',
  topic: 'TOPICS',
  dead: 'DLQ',
  // The server requires that a schedule and its target subject are in the same stream.
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

/** The subjects on which the server republishes the records of a queue. */
export function queuedSubjects(namespace: string, family: QueueFamily): string {
  return `cairn.${namespace}.queued.${family}.>`
}

/** The subject of a record with this key; each name is one token. */
export function queueSubject(
  namespace: string,
  family: QueueFamily,
  key: readonly string[],
): string {
  return `cairn.${namespace}.${family}.${key.map(encodeToken).join('.')}`
}

/** The key in a queue's subject; `undefined` for a subject that is not one. */
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

/** The subject of a timer that is not due: the key of its actor, and its name. */
export function timerSubject(namespace: string, key: readonly string[]): string {
  return `cairn.${namespace}.timer.${key.map(encodeToken).join('.')}`
}

/** All timers of a namespace, or those of the actor with this key. */
export function timerSubjects(namespace: string, actorKey?: readonly string[]): string {
  return actorKey === undefined
    ? `cairn.${namespace}.timer.>`
    : `${timerSubject(namespace, actorKey)}.*`
}

/** The marker among the timers: no timer has so few tokens. */
export function timersMarkerSubject(namespace: string): string {
  return `cairn.${namespace}.timer.complete`
}

/** The key in a timer's subject; `undefined` for a subject that is not one. */
export function parseTimerSubject(
  subject: string,
  namespace: string,
): string[] | undefined {
  return parseKey(subject, `cairn.${namespace}.timer.`)
}

/** Where the nodes of a namespace meet; a subject for each node or type ends with its name. */
export function nodeSubjects(namespace: string) {
  const root = `cairn.${namespace}`
  return {
    ask: (type: string) => `${root}.ask.${type}`,
    node: (id: string) => `${root}.node.${id}`,
    alive: (id: string) => `${root}.alive.${id}`,
    members: `${root}.members`,
    who: `${root}.who`,
    whoServes: (type: string) => `${root}.who.${type}`,
  }
}

/** Stands in for the namespace of a connection that is to none; no namespace has capital letters. */
export const noNamespace = 'NONE'

/** The replies to a connection's requests begin with this. */
export function inboxPrefixOf(namespace: string): string {
  return `_INBOX_${namespace}`
}

/** The key-value bucket of a namespace's documents: its stream, and the prefix of its subjects. */
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
  /** The partition token. The caller must check that it is the actor's. */
  readonly partition: string
  readonly actor: ActorAddress
}

/** Parses a log or notice subject; `undefined` for any other subject. */
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
    return undefined // The type or id is invalid, so the subject is not one of Cairn's.
  }
}

// Percent-encoding over UTF-8 is injective because "%" itself is encoded. encodeURIComponent
// does not encode letters, digits and - _ . ! ~ * ' ( ); of these only "." and "*" have a meaning
// in a subject.
const safeToken = /^[A-Za-z0-9_-]+$/

/** Encodes any non-empty string as one subject token; different strings have different tokens. */
export function encodeToken(text: string): string {
  if (safeToken.test(text)) return text
  return encodeURIComponent(text).replaceAll('.', '%2E').replaceAll('*', '%2A')
}

/** The inverse of {@link encodeToken}; `undefined` for a token that it cannot have written. */
export function decodeToken(token: string): string | undefined {
  if (safeToken.test(token)) return token
  try {
    const text = decodeURIComponent(token)
    return text !== '' && encodeToken(text) === token ? text : undefined
  } catch {
    return undefined // Not percent-encoded UTF-8.
  }
}
