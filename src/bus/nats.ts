// Notices on NATS: the server republishes every stored commit, headers only, so that no
// crash of a writer can swallow one. Core NATS delivers at most once; what may be lost is
// noticed (B3) by the connection's interruptions and, since positions are dense within a
// namespace, by one that is not the next.
//
// A notice comes in the same bytes as the acknowledgement that a command waits for, and before it. So
// notices are taken in when all else is done that these bytes have set off: nobody waits for them
// as for an answer. (Not in a turn of its own: while a busy server goes on sending, 2 MB are read before
// the next one, and a notice would come 80 ms late.) Of commits that this process has stored
// (src/store/event-store/own-commits.ts) only the position and the id are looked at.

import type { Msg } from 'nats'

import { checkNamespace } from '../model/address.js'
import type { Position } from '../model/version.js'
import { throwIfAborted } from '../model/wait.js'
import type { Connection } from '../nats/connection.js'
import { headerText, parseHeaderBlock, readHeaders } from '../nats/headers.js'
import { noticeSubjects, noticeSubjectsOfAll, parseSubject } from '../nats/subjects.js'
import type { OwnCommits } from '../store/event-store/own-commits.js'
import type { NoticeBus, SubscribeOptions, Subscription } from './bus.js'
import { type CommitStored, readCommitNotice, type EventStored } from './notice.js'
import {
  CountedSubscription,
  type Delivery,
  perCommit,
  perEvent,
} from './subscription.js'

export class NatsBus implements NoticeBus {
  readonly #connection: Connection
  readonly #own: OwnCommits | undefined
  readonly #subscriptions = new Set<Subscription>()

  /** @param own what is stored over the same connection; default: all is read from the notices */
  constructor(connection: Connection, own?: OwnCommits) {
    this.#connection = connection
    this.#own = own
  }

  subscribeToEventStored(
    namespace: string,
    handler: (notice: EventStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribeIn(namespace, perEvent(handler), options)
  }

  subscribeToCommits(
    namespace: string,
    handler: (notice: CommitStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribeIn(namespace, perCommit(handler), options)
  }

  subscribeAcrossNamespaces(
    handler: (notice: EventStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribe(noticeSubjectsOfAll, perEvent(handler), options)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map(one => one.unsubscribe()))
  }

  async #subscribeIn(
    namespace: string,
    delivery: Delivery,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    const own = this.#own?.namespace === namespace ? this.#own : undefined
    const subject = noticeSubjects(checkNamespace(namespace))
    return this.#subscribe(subject, delivery, options, own)
  }

  async #subscribe(
    subject: string,
    delivery: Delivery,
    options: SubscribeOptions,
    own?: OwnCommits,
  ): Promise<Subscription> {
    const doing = `subscribing to ${subject}`
    throwIfAborted(options.signal, doing)
    // Per namespace: a subscription across namespaces hears several dense sequences.
    const last = new Map<string, Position>()
    let source: { unsubscribe(): void } | undefined
    let waiting: Msg[] = []
    const takeIn = () => {
      const messages = waiting
      waiting = []
      for (const message of messages) receive(message)
    }
    const receive = (message: Msg) => {
      const notice = readNotice(message, own)
      if (notice === undefined) return subscription.malformed()
      const { namespace, position } = notice
      const before = last.get(namespace)
      // Also one that goes back: the stream is another one, or somebody made it up.
      if (before !== undefined && position !== before + 1) subscription.interrupted('gap')
      last.set(namespace, position)
      if (notice.commit === undefined) subscription.malformed()
      else subscription.deliver(notice.commit)
    }
    const stopKnowing = own?.listen()
    const stopListening = this.#connection.onInterruption(reason => {
      takeIn()
      last.clear()
      subscription.interrupted(reason)
    })
    const subscription = new CountedSubscription(delivery, options, () => {
      stopListening()
      stopKnowing?.()
      waiting = []
      source?.unsubscribe()
      this.#subscriptions.delete(subscription)
    })
    this.#subscriptions.add(subscription)
    try {
      const put = (message: Msg) => {
        if (waiting.length === 0) process.nextTick(takeIn)
        waiting.push(message)
      }
      const { signal } = options
      source = await this.#connection.subscribe(subject, put, { signal })
      throwIfAborted(signal, doing)
    } catch (error) {
      await subscription.unsubscribe()
      throw error
    }
    if (subscription.isEnded) source.unsubscribe()
    return subscription
  }
}

interface Notice {
  readonly namespace: string
  readonly position: Position
  /** Absent when the stored message was no commit: it takes a position all the same. */
  readonly commit: CommitStored | undefined
}

function readNotice(message: Msg, own: OwnCommits | undefined): Notice | undefined {
  const text = headerText(message, message.data)
  const known = text === undefined || own === undefined ? undefined : findOwn(text, own)
  if (known !== undefined) return known
  const parsed = parseSubject(message.subject)
  const headers =
    text === undefined ? readHeaders(message) : parseHeaderBlock(text).values
  const position = Number(headers.get('Nats-Sequence'))
  if (parsed === undefined || !Number.isSafeInteger(position) || position < 1)
    return undefined
  const previous = Number(headers.get('Nats-Last-Sequence'))
  const commit = readCommitNotice(
    parsed.namespace,
    parsed.actor,
    position,
    name => headers.get(name),
    Number.isSafeInteger(previous) && previous >= 0 ? previous : undefined,
  )
  return { namespace: parsed.namespace, position, commit }
}

const positionLine = '\r\nNats-Sequence: '
const idLine = '\r\nCairn-Commit: '

/** The notice of a commit of this process, found by its position and id alone. */
function findOwn(text: string, own: OwnCommits): Notice | undefined {
  // The server's own line stands behind those that the message brought along.
  const at = text.lastIndexOf(positionLine)
  const idAt = text.indexOf(idLine)
  if (at < 0 || idAt < 0) return undefined
  const commit = own.at(Number.parseInt(text.slice(at + positionLine.length), 10))
  if (commit === undefined) return undefined
  const { namespace, position, header } = commit
  const isIt = text.startsWith(`${header.commitId}\r\n`, idAt + idLine.length)
  return isIt ? { namespace, position, commit } : undefined
}
