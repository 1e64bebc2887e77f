// Streams whose writes fail on the server: its disk is full, or broken.
//
// Owns what is known about each stream, until the connection is lost.
//
// A server answers such a write in one of two ways. Since 2.14 it answers nothing, neither to that publish nor to any later
// one of the stream, until it is restarted; it answers everything else. Before, it answers that storing failed (10077).
//
// WRITE-FAILURE-1. A publish without an answer for a while is a reason to ask the server. A request to delete a
//     message that cannot exist is refused, with the failure if there is one. It changes nothing.
// WRITE-FAILURE-2. Nothing is sent to a stream that is known to fail: the server is asked first, and a publish ends as
//     `write-failed`. It is proven that it is not stored.
// WRITE-FAILURE-3. A publish that was sent before is ambiguous, whatever the server answers: the record may be complete in
//     the file, and then it is stored when the server has restarted.
// WRITE-FAILURE-4. A server of a cluster is not asked: it would propose the deletion to the others. Nor is one whose
//     user may not ask. Then only silence is known: the server answers about the stream, and not the publish.

import { inBackground } from '../model/background.js'
import { messageOf } from '../model/errors.js'
import { pause } from '../model/wait.js'
import { type ApiError, jsErrorCode, writeFailure } from './errors.js'
import { type Requests, reserved } from './requests.js'

/** What is known about the writes of a stream. */
export interface WriteFailure {
  readonly stream: string
  /** The server's words; absent if it is only known that it does not answer (WRITE-FAILURE-4). */
  readonly reason?: string
  /** When it was noticed, ms since 1970. */
  readonly since: number
}

export interface WriteFailuresPorts {
  readonly requests: Pick<Requests, 'request' | 'endWrites' | 'hasSlowWrite'>
  isConnected(): boolean
  isStandalone(): boolean
}

/** Milliseconds between two questions about a stream. */
const askAgainAfter = 250
/** Milliseconds to wait for an answer. */
const askTimeout = 2_000
/** Milliseconds in which answers are handled that the server sent at the same time. */
const answersWithin = 100
/** No message has this position. */
const noPosition = Number.MAX_SAFE_INTEGER
const noBody = new Uint8Array()
/** What a stream that can be written says to the deletion of a message that does not exist. */
const harmless: ReadonlySet<string | undefined> = new Set([
  'stream store EOF',
  'no message found',
  'message delete not permitted',
])

export class WriteFailures {
  readonly #ports: WriteFailuresPorts
  readonly #known = new Map<string, WriteFailure>()
  readonly #asking = new Map<string, Promise<void>>()
  readonly #askedAt = new Map<string, number>()
  /** Streams about which this user may not ask. */
  readonly #forbidden = new Set<string>()

  constructor(ports: WriteFailuresPorts) {
    this.#ports = ports
  }

  /** Whether anything is known of any stream. */
  get isAny(): boolean {
    return this.#known.size > 0
  }

  /** What is known, for statistics. */
  list(): readonly WriteFailure[] {
    return [...this.#known.values()]
  }

  /** What is known, for the error of an unanswered write: appended to its reason. */
  explain(stream: string): string {
    const known = this.#known.get(stream)
    if (known === undefined) return ''
    if (known.reason !== undefined) return `; ${writeFailure(stream, known.reason)}`
    return (
      `; the NATS server answers other requests, but not this write: its disk may be full or broken. See its log for ` +
      `"write error"; if there is one, make room and restart the server`
    )
  }

  /** A write was stored. */
  stored(stream: string): void {
    this.#known.delete(stream)
  }

  /** WRITE-FAILURE-1: a publish to the stream is not answered. */
  suspect(stream: string): void {
    if (this.#ports.isConnected())
      inBackground(`asking about writes to ${stream}`, () => this.#ask(stream))
  }

  /** WRITE-FAILURE-2: the server's words if nothing may be sent to the stream. */
  async confirm(stream: string): Promise<string | undefined> {
    if (this.#known.get(stream)?.reason === undefined) return undefined
    await this.#ask(stream)
    return this.#known.get(stream)?.reason
  }

  /** The server may be another one, or has been restarted. */
  clear(): void {
    this.#known.clear()
    this.#askedAt.clear()
    this.#forbidden.clear()
  }

  /** Asks, unless the last answer is recent. */
  #ask(stream: string): Promise<void> {
    const running = this.#asking.get(stream)
    if (running !== undefined) return running
    const now = performance.now()
    if (now - (this.#askedAt.get(stream) ?? -Infinity) < askAgainAfter)
      return Promise.resolve()
    this.#askedAt.set(stream, now)
    const asking = this.#update(stream).finally(() => this.#asking.delete(stream))
    this.#asking.set(stream, asking)
    return asking
  }

  async #update(stream: string): Promise<void> {
    const mayAsk = this.#ports.isStandalone() && !this.#forbidden.has(stream)
    const answer = mayAsk ? await this.#askForReason(stream) : 'unasked'
    // Lost with the connection, or the server itself is too slow: nothing new is known.
    if (answer === 'unanswered' || !this.#ports.isConnected()) return
    if (answer === 'healthy') return void this.#known.delete(stream)
    if (answer === 'unasked') {
      if (await this.#answersAbout(stream)) this.#note(stream, undefined)
      return
    }
    this.#note(stream, answer.reason)
    this.#ports.requests.endWrites(stream, answer.reason)
  }

  #note(stream: string, reason: string | undefined): void {
    const { since = Date.now() } = this.#known.get(stream) ?? {}
    this.#known.set(stream, { stream, since, ...(reason !== undefined && { reason }) })
  }

  async #askForReason(
    stream: string,
  ): Promise<'healthy' | 'unanswered' | 'unasked' | { readonly reason: string }> {
    const body = Buffer.from(JSON.stringify({ seq: noPosition, no_erase: true }))
    const subject = `$JS.API.STREAM.MSG.DELETE.${stream}`
    const reply = await this.#ports.requests.request(subject, body, askTimeout, reserved)
    if (reply.kind === 'forbidden') {
      this.#forbidden.add(stream)
      return 'unasked'
    }
    if (reply.kind !== 'message') return 'unanswered'
    const error = errorIn(reply.message.string())
    if (error?.description === 'message delete not permitted') return 'unasked'
    if (error?.err_code !== jsErrorCode.deleteFailed || harmless.has(error.description))
      return 'healthy'
    return { reason: error.description ?? `error ${error.err_code}` }
  }

  /** Whether the server answers about the stream, and still not the write. */
  async #answersAbout(stream: string): Promise<boolean> {
    const subject = `$JS.API.STREAM.INFO.${stream}`
    const reply = await this.#ports.requests.request(
      subject,
      noBody,
      askTimeout,
      reserved,
    )
    if (reply.kind !== 'message' || errorIn(reply.message.string()) !== undefined)
      return false
    // After a pause, a server answers everything at about the same time.
    await pause(answersWithin)
    return this.#ports.requests.hasSlowWrite(stream)
  }
}

function errorIn(text: string): ApiError | undefined {
  try {
    return (JSON.parse(text) as { error?: ApiError }).error
  } catch (error) {
    return { code: 0, description: `the answer is not JSON: ${messageOf(error)}` }
  }
}
