// Notices on NATS: the server republishes every stored commit, headers only, so a crash of the writer cannot lose one.
// Core NATS delivers at most once. A lost notice is detected (BUS-3) by the connection's interruptions, and by a position
// that is not the next one, since positions are dense within a namespace. A subscription with a filter gets them filtered by
// the server (BUS-6), and finds a loss by their predecessors (subject-continuity.ts).
//
// A notice arrives in the same bytes as the acknowledgement that a command waits for, and before it. No caller waits for
// a notice, so notices are processed after everything else that these bytes trigger, with `process.nextTick`.
// (Not in a later turn of the event loop: while a busy server keeps sending, 2 MB are read before the next turn, and a
// notice would be 80 ms late.) Of commits that this process has stored (src/store/event-store/own-commits.ts) only the
// position and the id are read.

import type { Msg } from 'nats'

import { commitIdHeader } from '../codec/commit-headers.js'
import type { ActorAddress } from '../model/address.js'
import type { Position } from '../model/version.js'
import type { Connection, NatsSubscription } from '../nats/connection.js'
import { headerText, parseHeaderBlock, readHeaders } from '../nats/headers.js'
import { noticeSubjects, parseSubject } from '../nats/subjects.js'
import type { OwnCommits } from '../store/event-store/own-commits.js'
import type { SubscribeOptions } from './bus.js'
import { type CommitStored, readCommitNotice } from './notice.js'
import type { ActorFilter } from './notice-filter.js'
import { type NoticeSource, SourceBus } from './source-bus.js'
import { SubjectContinuity } from './subject-continuity.js'
import type { CountedSubscription } from './subscription.js'

export class NatsBus extends SourceBus {
  readonly #connection: Connection
  readonly #own: OwnCommits | undefined

  /** @param own the commits stored over the same connection; default: everything is read from the notices */
  constructor(connection: Connection, own?: OwnCommits) {
    super()
    this.#connection = connection
    this.#own = own
  }

  protected override sourceOf(
    namespace: string | undefined,
    subscription: CountedSubscription,
    filter: ActorFilter | undefined,
    { signal }: SubscribeOptions,
  ): NoticeSource {
    const isOwn = namespace !== undefined && this.#own?.namespace === namespace
    const own = isOwn ? this.#own : undefined
    const subject = noticeSubjects(namespace ?? '*', filter?.type, filter?.id)
    const isFiltered = filter !== undefined
    return new NatsSource(
      this.#connection,
      { subject, isFiltered },
      subscription,
      own,
      signal,
    )
  }
}

class NatsSource implements NoticeSource {
  readonly #connection: Connection
  readonly #subject: string
  readonly #isFiltered: boolean
  readonly #subscription: CountedSubscription
  readonly #own: OwnCommits | undefined
  readonly #signal: AbortSignal | undefined
  readonly #stopOwn: (() => void) | undefined
  readonly #stopInterruptions: () => void
  /** Last position by namespace: a subscription across namespaces receives several dense sequences. */
  readonly #last = new Map<string, Position>()
  /** The same of a subscription with a filter. */
  readonly #continuities = new Map<string, SubjectContinuity>()
  #waiting: Msg[] = []
  #natsSubscription: NatsSubscription | undefined

  constructor(
    connection: Connection,
    { subject, isFiltered }: { readonly subject: string; readonly isFiltered: boolean },
    subscription: CountedSubscription,
    own: OwnCommits | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.#connection = connection
    this.#subject = subject
    this.#isFiltered = isFiltered
    this.#subscription = subscription
    this.#own = own
    this.#signal = signal
    this.#stopOwn = own?.listen()
    this.#stopInterruptions = connection.onInterruption(reason => {
      this.#processWaiting()
      this.#last.clear()
      this.#continuities.clear()
      subscription.interrupted(reason)
    })
  }

  async start(): Promise<void> {
    const signal = this.#signal
    const made = await this.#connection.subscribe(this.#subject, this.#enqueue, {
      signal,
    })
    this.#natsSubscription = made
    if (this.#subscription.isEnded) made.unsubscribe()
  }

  stop(): void {
    this.#stopInterruptions()
    this.#stopOwn?.()
    this.#waiting = []
    this.#natsSubscription?.unsubscribe()
  }

  readonly #enqueue = (message: Msg) => {
    if (this.#waiting.length === 0) process.nextTick(this.#processWaiting)
    this.#waiting.push(message)
  }

  readonly #processWaiting = () => {
    const messages = this.#waiting
    this.#waiting = []
    for (const message of messages) this.#receive(message)
  }

  #receive(message: Msg): void {
    const notice = readNotice(message, this.#own)
    if (notice === undefined) return this.#subscription.malformed()
    if (!this.#continues(notice)) this.#subscription.interrupted('gap')
    if (notice.commit === undefined) this.#subscription.malformed()
    else this.#subscription.deliver(notice.commit)
  }

  /** Whether no notice was missed before this one (BUS-3). */
  #continues({ namespace, actor, position, previousPosition }: Notice): boolean {
    if (this.#isFiltered) {
      const known = this.#continuities.get(namespace) ?? new SubjectContinuity()
      this.#continuities.set(namespace, known)
      return known.continues(actor, position, previousPosition)
    }
    const previous = this.#last.get(namespace)
    this.#last.set(namespace, position)
    // Also a position that goes back: the stream was replaced, or the notice is forged.
    return previous === undefined || position === previous + 1
  }
}

interface Notice {
  readonly namespace: string
  readonly actor: ActorAddress
  readonly position: Position
  readonly previousPosition: Position | undefined
  /** Absent if the stored message is not a commit; it has a position all the same. */
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
  const previousPosition =
    Number.isSafeInteger(previous) && previous >= 0 ? previous : undefined
  const { namespace, actor } = parsed
  const commit = readCommitNotice(
    namespace,
    actor,
    position,
    name => headers.get(name),
    previousPosition,
  )
  return { namespace, actor, position, previousPosition, commit }
}

const positionLine = '\r\nNats-Sequence: '
const idLine = `\r\n${commitIdHeader}: `

/** The notice of a commit of this process, found by its position and id. */
function findOwn(text: string, own: OwnCommits): Notice | undefined {
  // The server appends its own line after those of the message.
  const at = text.lastIndexOf(positionLine)
  const idAt = text.indexOf(idLine)
  if (at < 0 || idAt < 0) return undefined
  const commit = own.at(Number.parseInt(text.slice(at + positionLine.length), 10))
  if (commit === undefined) return undefined
  const { namespace, actor, position, previousPosition, header } = commit
  const isIt = text.startsWith(`${header.commitId}\r\n`, idAt + idLine.length)
  return isIt ? { namespace, actor, position, previousPosition, commit } : undefined
}
