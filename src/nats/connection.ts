// One connection to NATS.
//
// Owns the client library's connection and the shared reply inbox. Calls its listeners when
// messages may have been missed. The client library does the reconnecting.

import { connect, Events, type Msg, type NatsConnection, type ServerInfo } from 'nats'

import { inBackground } from '../model/background.js'
import { DamageReports } from '../model/damage.js'
import { CairnError, messageOf } from '../model/errors.js'
import { pause, throwIfAborted, withTimeout } from '../model/wait.js'
import { connectionOptions, connectTimeoutDefault } from './connection-options.js'
import {
  type ConnectionChange,
  type ConnectionStats,
  describeOutage,
  type Outage,
} from './connection-state.js'
import { connectionError, isTimeout, permissionError, refusalOf } from './errors.js'
import { MissingStreams } from './missing-streams.js'
import { type NatsOptions, serversOf } from './options.js'
import { Requests } from './requests.js'
import { checkServerVersion } from './server-version.js'
import { inboxPrefixOf } from './subjects.js'
import { tlsRefusal } from './tls-refusal.js'
import { WriteFailures } from './write-failures.js'

export interface NatsSubscription {
  unsubscribe(): void
  /** Ends the subscription after the messages that the server has already sent; resolves in bounded time. */
  drain(): Promise<void>
}

const unknownServer = { server_id: 'unknown', max_payload: 1024 * 1024 }
const subscribeTimeout = 10_000
/** Milliseconds to wait for the server to drain. */
const drainTimeout = 2_000

export class Connection {
  readonly nc: NatsConnection
  readonly requests: Requests
  readonly writeFailures: WriteFailures
  /** Damage of the namespace beside its log. */
  readonly damage = new DamageReports()
  readonly missing = new MissingStreams(this.damage)
  readonly inboxPrefix: string
  readonly servers: readonly string[]
  readonly #listeners = new Set<(interruption: ConnectionChange) => void>()
  /** The server that is or was connected last. */
  #server: Pick<ServerInfo, 'server_id' | 'max_payload'>
  #connected = true
  #closed = false
  /** Of the current state, ms since 1970. */
  #since = Date.now()
  #reconnects = 0
  #lastOutage: Outage | undefined
  /** What the server said when it refused the login of a lost connection. */
  #refusal: string | undefined

  private constructor(
    nc: NatsConnection,
    inboxPrefix: string,
    servers: readonly string[],
  ) {
    this.nc = nc
    this.inboxPrefix = inboxPrefix
    this.servers = servers
    this.#server = nc.info ?? unknownServer
    this.requests = new Requests(nc, inboxPrefix)
    this.writeFailures = new WriteFailures({
      requests: this.requests,
      isConnected: () => this.connected,
      isStandalone: () => this.isStandalone,
    })
    this.requests.onSlowWrite = stream => this.writeFailures.suspect(stream)
    inBackground(`following the connection to ${this.servers.join(', ')}`, () =>
      this.#followStatus(),
    )
  }

  /**
   * Connects. Throws `store-unreachable`, `unauthorized`, `invalid-option` or
   * `server-too-old`; each names a remedy.
   *
   * @param namespace part of the connection's inbox subjects, so that permissions can be granted per namespace
   */
  static async open(
    options: NatsOptions,
    namespace: string,
    name: string,
  ): Promise<Connection> {
    const given = serversOf(options)
    const { servers } = given
    const inboxPrefix = inboxPrefixOf(namespace)
    let made: Connection | undefined
    const isRefused = () => made?.isRefused === true
    const natsOptions = connectionOptions(options, given, inboxPrefix, name, isRefused)
    let nc: NatsConnection
    try {
      nc = await connect(natsOptions)
    } catch (error) {
      const refusal = isTimeout(error)
        ? await tlsRefusal(servers, options.tls)
        : undefined
      throw connectionError(refusal ?? error, servers, options)
    }
    try {
      checkServerVersion(nc.info?.version ?? 'unknown', nc.getServer())
    } catch (error) {
      await nc.close()
      throw error
    }
    const connection = new Connection(nc, inboxPrefix, servers)
    made = connection
    try {
      await connection.#checkInbox(
        namespace,
        options.connectTimeout ?? connectTimeoutDefault,
      )
    } catch (error) {
      await connection.close()
      throw error
    }
    return connection
  }

  /** Checks that the server allows the inbox: without replies every request would time out. */
  async #checkInbox(namespace: string, timeout: number): Promise<void> {
    const { inbox } = this.requests
    await this.#confirmSubscription(inbox, undefined, timeout)
    if (this.requests.inboxError === undefined) return
    throw new CairnError(
      'unauthorized',
      `The NATS server does not allow this user to subscribe to ${inbox}, the reply inbox of namespace ` +
        `${namespace}: ${messageOf(this.requests.inboxError)}. ` +
        'Use credentials of this namespace, or correct their permissions.',
      { cause: this.requests.inboxError },
    )
  }

  get connected(): boolean {
    return this.#connected && !this.#closed && !this.nc.isClosed()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The server refuses the login since the connection was lost. */
  get isRefused(): boolean {
    return this.#refusal !== undefined && !this.#closed
  }

  /** Nothing can be sent, and waiting is no use. */
  get isUnusable(): boolean {
    return this.#closed || this.isRefused
  }

  /** Whether JetStream is enabled on the connected server; it may be on others of its cluster. */
  get hasJetStream(): boolean {
    return this.nc.info?.jetstream === true
  }

  /** Version of the connected server; others of its cluster may run another one. */
  get serverVersion(): string {
    return this.nc.info?.version ?? 'unknown'
  }

  /** What it is like now. */
  stats(): ConnectionStats {
    const silentSince = this.connected ? this.requests.silentSince : undefined
    return {
      state: this.#state,
      since: this.#since,
      server: this.connected ? `nats://${this.nc.getServer()}` : this.servers.join(', '),
      reconnects: this.#reconnects,
      ...(this.#refusal !== undefined && { refusal: this.#refusal }),
      ...(this.#lastOutage !== undefined && { lastOutage: this.#lastOutage }),
      ...(silentSince !== undefined && { silentSince }),
      writeFailures: this.writeFailures.list(),
    }
  }

  get #state(): ConnectionStats['state'] {
    if (this.#closed) return 'closed'
    if (this.isRefused) return 'unauthorized'
    return this.#connected ? 'connected' : 'reconnecting'
  }

  /** Why requests since `start` have no answer, as the beginning of a sentence. */
  whySilent(start: number): string {
    const outage = describeOutage(this.stats(), start)
    return outage ?? `NATS at ${this.servers.join(', ')} does not answer`
  }

  /** What is known about a request that had no answer since `start`, appended to a reason; for a write, of its stream. */
  explainSilence(start: number, stream?: string): string {
    const failure = stream === undefined ? '' : this.writeFailures.explain(stream)
    const outage = describeOutage(this.stats(), start)
    return (outage === undefined ? '' : `; ${outage}`) + failure
  }

  /** Id of the server that is or was connected last; a restarted one has another. */
  get serverId(): string {
    return this.#server.server_id
  }

  /** Whether the connected server stores the streams by itself, without others. */
  get isStandalone(): boolean {
    return this.hasJetStream && this.nc.info?.cluster === undefined
  }

  /** Largest message that the server accepts, in bytes, headers included. */
  get maxPayload(): number {
    return this.nc.info?.max_payload ?? this.#server.max_payload
  }

  /** Calls `listener` at each interruption. The returned function removes it. */
  onInterruption(listener: (interruption: ConnectionChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves once connected, after `ms`, or when the signal fires. Check `connected` afterwards. */
  async whenConnected(ms: number, signal?: AbortSignal): Promise<void> {
    const deadline = Date.now() + ms
    while (
      !this.connected &&
      !this.isUnusable &&
      !signal?.aborted &&
      Date.now() < deadline
    )
      await pause(Math.min(20, ms), signal)
  }

  /**
   * Subscribes with a callback; resolves once the server has accepted the subscription. Throws
   * `unauthorized`, `aborted`, or `store-unreachable` if the server does not confirm it in time;
   * then nothing is subscribed.
   */
  async subscribe(
    subject: string,
    receive: (message: Msg) => void,
    { queue, signal }: { queue?: string; signal?: AbortSignal | undefined } = {},
  ): Promise<NatsSubscription> {
    throwIfAborted(signal, `subscribing to ${subject}`)
    if (this.#closed) throw this.#unreachable(subject, 'the connection is closed')
    let refused: CairnError | undefined
    const subscription = this.nc.subscribe(subject, {
      ...(queue !== undefined && { queue }),
      callback: (error, message) => {
        if (error === null) receive(message)
        else refused = permissionError(subject, error)
      },
    })
    try {
      await this.#confirmSubscription(subject, signal)
      if (refused !== undefined) throw refused
    } catch (error) {
      subscription.unsubscribe()
      throw error
    }
    return {
      unsubscribe: () => subscription.unsubscribe(),
      drain: () => settledWithin(subscription.drain(), drainTimeout),
    }
  }

  /** Sends what is buffered, and closes. Does not wait longer than a few seconds for the server. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#markClosed()
    this.requests.close()
    if (this.#connected) await settledWithin(this.nc.drain(), drainTimeout)
    await this.nc.close()
  }

  /**
   * Resolves once the server has accepted or refused a subscription: the server answers in order, so it
   * answers a flush afterwards. A lost connection loses the flush; the library renews the subscription on
   * the next connection.
   */
  async #confirmSubscription(
    subject: string,
    signal: AbortSignal | undefined,
    timeout = subscribeTimeout,
  ): Promise<void> {
    const deadline = Date.now() + timeout
    const unanswered = () =>
      this.#unreachable(subject, `no answer within ${Math.round(timeout)} ms`)
    for (;;) {
      const flushed = this.nc.flush().then(
        () => true,
        () => false,
      )
      const left = deadline - Date.now()
      if (
        await withTimeout(flushed, left, unanswered, signal, `subscribing to ${subject}`)
      )
        return
      if (this.#closed) throw this.#unreachable(subject, 'the connection is closed')
      await pause(20, signal)
      await this.whenConnected(deadline - Date.now(), signal)
    }
  }

  #unreachable(subject: string, why: string): CairnError {
    return new CairnError(
      'store-unreachable',
      `NATS at ${this.servers.join(', ')} does not confirm the subscription to ${subject}: ${why}. ` +
        'Check that the server runs; the call may be repeated.',
    )
  }

  /** Follows the client library's status events until the connection is closed for good. */
  async #followStatus(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type === Events.Disconnect) this.#interrupted('disconnected')
      else if (status.type === Events.Reconnect) this.#interrupted('reconnected')
      else if (
        status.type === Events.Error &&
        status.permissionContext?.operation === 'publish'
      )
        this.requests.forbidden(status.permissionContext.subject)
      else if (status.type === Events.Error && typeof status.data === 'string')
        this.#mayBeRefused(status.data)
    }
    // The library gives up reconnecting only on close().
    this.#markClosed()
    this.requests.disconnected()
  }

  /** An error of the server while it is not connected: it refuses the login with which it is connecting again. */
  #mayBeRefused(code: string): void {
    const reason = refusalOf(code)
    if (reason === undefined || this.#connected || this.#closed) return
    if (this.#refusal === undefined) this.#since = Date.now()
    this.#refusal = reason
  }

  #markClosed(): void {
    if (this.#closed) return
    this.#closed = true
    this.#since = Date.now()
  }

  #interrupted(interruption: ConnectionChange): void {
    const now = Date.now()
    if (interruption === 'reconnected' && !this.#connected) {
      this.#reconnects++
      this.#lastOutage = { from: this.#since, to: now }
    }
    if (this.#connected !== (interruption === 'reconnected')) this.#since = now
    this.#connected = interruption === 'reconnected'
    // The library tells of a refused attempt to connect as of another disconnection.
    if (this.#connected) this.#refusal = undefined
    if (this.#connected) this.#server = this.nc.info ?? unknownServer
    this.requests.disconnected()
    this.writeFailures.clear()
    for (const listener of this.#listeners) listener(interruption)
  }
}

/** Waits for `work` for at most `ms`; ignores how it ends. */
async function settledWithin(work: Promise<unknown>, ms: number): Promise<void> {
  const settled = new AbortController()
  await Promise.race([work.catch(() => {}), pause(ms, settled.signal)])
  settled.abort()
}
