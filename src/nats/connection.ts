// One connection to NATS, and what becomes of it.
//
// Owns the client library's connection and the shared reply inbox. Tells its listeners when
// messages may have been missed; reconnecting itself is the library's work.

import { readFile } from 'node:fs/promises'

import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  Events,
  type Msg,
  type NatsConnection,
} from 'nats'

import { CairnError, messageOf } from '../model/errors.js'
import { pause, throwIfAborted, withTimeout } from '../model/wait.js'
import { connectionError } from './errors.js'
import { type NatsOptions, serversOf } from './options.js'
import { Requests } from './requests.js'
import { checkServerVersion } from './server-version.js'

/** Why notices or replies may have been missed. */
export type Interruption = 'disconnected' | 'reconnected'

export interface NatsSubscription {
  unsubscribe(): void
  /** Ends it after what the server has already sent; resolves in bounded time. */
  drain(): Promise<void>
}

const inboxRoot = '_INBOX_'
const connectTimeoutDefault = 5_000
const subscribeTimeout = 10_000
/** Milliseconds to wait for the server's goodbye. */
const drainTimeout = 2_000

export class Connection {
  readonly nc: NatsConnection
  readonly requests: Requests
  readonly inboxPrefix: string
  readonly servers: readonly string[]
  readonly #listeners = new Set<(interruption: Interruption) => void>()
  #connected = true
  #closed = false

  private constructor(
    nc: NatsConnection,
    inboxPrefix: string,
    servers: readonly string[],
  ) {
    this.nc = nc
    this.inboxPrefix = inboxPrefix
    this.servers = servers
    this.requests = new Requests(nc, inboxPrefix)
    void this.#watch()
  }

  /**
   * Connects. Throws `store-unreachable`, `unauthorized`, `invalid-option` or
   * `server-too-old`, each with its remedy.
   *
   * @param namespace gives the connection its own inbox subjects, as permissions demand
   */
  static async open(
    options: NatsOptions,
    namespace: string,
    name: string,
  ): Promise<Connection> {
    const servers = serversOf(options)
    const inboxPrefix = inboxRoot + namespace
    let nc: NatsConnection
    try {
      nc = await connect(await connectionOptions(options, servers, inboxPrefix, name))
    } catch (error) {
      throw error instanceof CairnError
        ? error
        : connectionError(error, servers, options.creds)
    }
    try {
      checkServerVersion(nc.info?.version ?? 'unknown', nc.getServer())
    } catch (error) {
      await nc.close()
      throw error
    }
    const connection = new Connection(nc, inboxPrefix, servers)
    try {
      await connection.#checkInbox(options.connectTimeout ?? connectTimeoutDefault)
    } catch (error) {
      await connection.close()
      throw error
    }
    return connection
  }

  /** Without replies every request would run into its deadline: the server must allow the inbox. */
  async #checkInbox(timeout: number): Promise<void> {
    const { inbox } = this.requests
    await this.#subscriptionChecked(inbox, undefined, timeout)
    if (this.requests.inboxError === undefined) return
    throw new CairnError(
      'unauthorized',
      `The NATS server does not let this user subscribe to ${inbox}, where replies to namespace ` +
        `${this.inboxPrefix.slice(inboxRoot.length)} arrive: ${messageOf(this.requests.inboxError)}. ` +
        'Use credentials that are meant for this namespace, or correct their permissions.',
      { cause: this.requests.inboxError },
    )
  }

  get connected(): boolean {
    return this.#connected && !this.#closed && !this.nc.isClosed()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether the connected server itself has JetStream on; others of its cluster may. */
  get hasJetStream(): boolean {
    return this.nc.info?.jetstream === true
  }

  /** Of the connected server; others of its cluster may be of another. */
  get serverVersion(): string {
    return this.nc.info?.version ?? 'unknown'
  }

  /** Largest message the server takes, in bytes, headers included. */
  get maxPayload(): number {
    return this.nc.info?.max_payload ?? 1024 * 1024
  }

  /** Calls `listener` at each interruption; the returned function ends that. */
  onInterruption(listener: (interruption: Interruption) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves once connected, after `ms`, or when the signal fires; look at `connected`. */
  async whenConnected(ms: number, signal?: AbortSignal): Promise<void> {
    const deadline = Date.now() + ms
    while (!this.connected && !this.#closed && !signal?.aborted && Date.now() < deadline)
      await pause(Math.min(20, ms), signal)
  }

  /**
   * Subscribes with a callback; resolves once the server has taken the subscription. Throws
   * `unauthorized`, `aborted`, or `store-unreachable` when the server does not say so in time;
   * nothing is subscribed then.
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
        else
          refused = new CairnError(
            'unauthorized',
            `The NATS server does not let this user subscribe to ${subject}: ${messageOf(error)}.`,
            { cause: error },
          )
      },
    })
    try {
      await this.#subscriptionChecked(subject, signal)
      if (refused !== undefined) throw refused
    } catch (error) {
      subscription.unsubscribe()
      throw error
    }
    return {
      unsubscribe: () => subscription.unsubscribe(),
      drain: () => withinOrNothing(subscription.drain(), drainTimeout),
    }
  }

  /** Sends what is written, and closes; with a server that is silent, after a few seconds. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.requests.close()
    if (this.#connected) await withinOrNothing(this.nc.drain(), drainTimeout)
    await this.nc.close()
  }

  /**
   * Resolves once the server has judged a subscription: it answers in order, so a flush is
   * answered behind it. A lost connection loses the flush; the library subscribes again on
   * the next one.
   */
  async #subscriptionChecked(
    subject: string,
    signal: AbortSignal | undefined,
    timeout = subscribeTimeout,
  ): Promise<void> {
    const deadline = Date.now() + timeout
    const late = () => this.#unreachable(subject, `no answer within ${timeout} ms`)
    for (;;) {
      const flushed = this.nc.flush().then(
        () => true,
        () => false,
      )
      const left = deadline - Date.now()
      if (await withTimeout(flushed, left, late, signal, `subscribing to ${subject}`))
        return
      if (this.#closed) throw this.#unreachable(subject, 'the connection is closed')
      await pause(20, signal)
      await this.whenConnected(deadline - Date.now(), signal)
    }
  }

  #unreachable(subject: string, why: string): CairnError {
    return new CairnError(
      'store-unreachable',
      `NATS at ${this.servers.join(', ')} does not take the subscription to ${subject}: ${why}. ` +
        'Check that the server runs; the call may be repeated.',
    )
  }

  async #watch(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type === Events.Disconnect) this.#interrupted('disconnected')
      else if (status.type === Events.Reconnect) this.#interrupted('reconnected')
      else if (
        status.type === Events.Error &&
        status.permissionContext?.operation === 'publish'
      )
        this.requests.forbidden(status.permissionContext.subject)
    }
    // The library gives up for good only when the server refuses the user, or on close().
    this.#closed = true
    this.requests.disconnected()
  }

  #interrupted(interruption: Interruption): void {
    this.#connected = interruption === 'reconnected'
    this.requests.disconnected()
    for (const listener of this.#listeners) listener(interruption)
  }
}

/** Resolves with `work`, or after `ms` without it; how it ended does not matter any more. */
async function withinOrNothing(work: Promise<unknown>, ms: number): Promise<void> {
  const over = new AbortController()
  await Promise.race([work.catch(() => {}), pause(ms, over.signal)])
  over.abort()
}

async function connectionOptions(
  options: NatsOptions,
  servers: string[],
  inboxPrefix: string,
  name: string,
): Promise<ConnectionOptions> {
  const {
    creds,
    user,
    password,
    token,
    tls,
    connectTimeout = connectTimeoutDefault,
    ignoreClusterUpdates,
  } = options
  return {
    servers,
    name,
    inboxPrefix,
    timeout: connectTimeout,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    reconnectJitter: 100,
    // Two unanswered pings end a connection that went dead without a word.
    pingInterval: 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
    ...(creds !== undefined && {
      authenticator: credsAuthenticator(await readCreds(creds)),
    }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { pass: password }),
    ...(token !== undefined && { token }),
    ...(tls !== undefined && { tls: tlsFiles(tls) }),
    ...(ignoreClusterUpdates === true && { ignoreClusterUpdates }),
  }
}

function tlsFiles({ ca, cert, key }: { ca?: string; cert?: string; key?: string }) {
  return {
    ...(ca !== undefined && { caFile: ca }),
    ...(cert !== undefined && { certFile: cert }),
    ...(key !== undefined && { keyFile: key }),
  }
}

async function readCreds(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new CairnError(
      'invalid-option',
      `The credentials file ${path} cannot be read: ${messageOf(error)}.`,
      { cause: error },
    )
  }
}
