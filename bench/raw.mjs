// The baseline: what one Node process gets out of a NATS server with nothing of Cairn in
// between. Commits are published with the bytes and headers that Cairn would write, over one
// shared reply inbox, as the fastest way to use the client library.
import { connect, nuid } from 'nats'
import { encodeCommit, logStream, logSubject } from 'cairn-es/bench'

/**
 * @typedef {import('nats').Msg} Msg
 * @typedef {import('cairn-es/store').NewCommit} NewCommit
 * @typedef {import('cairn-es').ActorAddress} ActorAddress
 */

const nothing = new Uint8Array()

/** Requests on a connection of its own, answered through one subscription. */
export class RawClient {
  #connection
  #prefix
  /** @type {(((message: Msg) => void) | undefined)[]} */
  #slots = []
  /** @type {number[]} */
  #free = []

  /** @param {import('nats').NatsConnection} connection */
  constructor(connection) {
    this.#connection = connection
    this.#prefix = `_INBOX.${nuid.next()}.`
    connection.subscribe(`${this.#prefix}*`, {
      callback: (error, message) => {
        if (error === null)
          this.#slots[Number(message.subject.slice(this.#prefix.length))]?.(message)
      },
    })
  }

  /** @param {string} servers */
  static async open(servers) {
    return new RawClient(
      await connect({ servers: servers.split(','), name: 'bench raw' }),
    )
  }

  /**
   * Without an answer.
   *
   * @param {string} subject
   * @param {Uint8Array} body
   * @param {Uint8Array} headers as they go over the wire
   */
  publish(subject, body, headers) {
    this.#connection.publish(subject, body, { headers: asHeaders(headers) })
  }

  /**
   * @param {string} subject
   * @param {Uint8Array} body
   */
  send(subject, body) {
    this.#connection.publish(subject, body)
  }

  /**
   * Resolves when the server knows of it: what others send from then on is heard.
   *
   * @param {string} subject
   * @param {(message: Msg) => void} take
   * @returns {Promise<() => void>} ends it
   */
  async subscribe(subject, take) {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) take(message)
      },
    })
    await this.#connection.flush()
    return () => subscription.unsubscribe()
  }

  /**
   * One request, one answer.
   *
   * @param {string} subject
   * @param {Uint8Array} body
   * @param {Uint8Array | undefined} headers as they go over the wire
   * @param {(message: Msg) => void} take
   */
  request(subject, body, headers, take) {
    const close = this.requestMany(subject, body, headers, message => {
      close()
      take(message)
    })
  }

  /**
   * One request, answers until the function that is returned is called.
   *
   * @param {string} subject
   * @param {Uint8Array} body
   * @param {Uint8Array | undefined} headers
   * @param {(message: Msg) => void} take
   */
  requestMany(subject, body, headers, take) {
    const slot = this.#free.pop() ?? this.#slots.length
    this.#slots[slot] = take
    const reply = this.#prefix + slot
    this.#connection.publish(
      subject,
      body,
      headers === undefined ? { reply } : { reply, headers: asHeaders(headers) },
    )
    return () => {
      this.#slots[slot] = undefined
      this.#free.push(slot)
    }
  }

  async close() {
    await this.#connection.close()
  }
}

/**
 * The client library only ever calls `encode()` on headers that are published.
 *
 * @param {Uint8Array} bytes
 */
const asHeaders = bytes =>
  /** @type {import('nats').MsgHdrs} */ (/** @type {unknown} */ ({ encode: () => bytes }))

/** Appends commits of one shape to actors, each with the expectation that Cairn would send. */
export class RawAppender {
  #client
  #actors
  #events
  #head
  #rest
  #body

  /**
   * @param {object} options
   * @param {RawClient} options.client
   * @param {string} options.namespace
   * @param {readonly ActorAddress[]} options.actors
   * @param {number} options.partitions
   * @param {Omit<NewCommit, 'id' | 'actor' | 'firstVersion' | 'at' | 'nodeId'>} options.commit
   *   whose events, one or more, are in each
   */
  constructor({ client, namespace, actors, partitions, commit }) {
    const encoded = encodeCommit({
      ...commit,
      id: nuid.next(),
      actor: { type: 'raw', id: 'raw' },
      firstVersion: 1,
      at: Date.now(),
      nodeId: 'bench',
    })
    const lines = encoded.headers
      .filter(([name]) => name !== 'Cairn-Versions')
      .map(([name, value]) => `${name}: ${value}\r\n`)
    this.#client = client
    this.#events = commit.events.length
    this.#body = encoded.body
    this.#head =
      `NATS/1.0\r\nNats-Expected-Stream: ${logStream(namespace)}\r\n` +
      'Nats-Expected-Last-Subject-Sequence: '
    this.#rest = `${lines.join('')}\r\n`
    this.#actors = actors.map(actor => ({
      id: actor.id,
      subject: logSubject(namespace, actor, partitions),
      version: 0,
      position: 0,
    }))
  }

  /** Actor id → version, as acknowledged. */
  get versions() {
    return new Map(this.#actors.map(({ id, version }) => [id, version]))
  }

  /**
   * @param {number} index of the actor
   * @param {(error?: Error) => void} done
   */
  append(index, done) {
    const actor = this.#actors[index]
    if (actor === undefined) return done(new Error(`there is no actor ${index}`))
    const version = actor.version + this.#events
    const headers = Buffer.from(
      `${this.#head}${actor.position}\r\nCairn-Versions: ${actor.version + 1}-${version}\r\n${this.#rest}`,
    )
    this.#client.request(actor.subject, this.#body, headers, message => {
      const position = positionIn(message.data)
      if (position === undefined)
        return done(new Error(`not acknowledged: ${message.string()}`))
      actor.version = version
      actor.position = position
      done()
    })
  }
}

/**
 * `{"stream":"…","seq":123}` → 123; nothing for anything else.
 *
 * @param {Uint8Array} ack
 */
const positionIn = ack => {
  const text = Buffer.from(ack.buffer, ack.byteOffset, ack.length).toString('latin1')
  const [, digits] = /^\{"stream":"[^"]+", ?"seq":(\d+)/.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/**
 * The last message of a subject.
 *
 * @param {RawClient} client
 * @param {string} namespace
 * @param {string} subject
 * @param {(message: Msg) => void} take
 */
export const rawLast = (client, namespace, subject, take) =>
  client.request(
    `$JS.API.DIRECT.GET.${logStream(namespace)}.${subject}`,
    nothing,
    undefined,
    take,
  )

/**
 * Messages of a log in batches, one after the other, in order.
 *
 * @param {RawClient} client
 * @param {string} namespace
 * @param {string} filter subjects; `>` for all
 * @param {(message: Msg, headers: string) => void} take
 * @returns {Promise<void>}
 */
export const rawRead = (client, namespace, filter, take) =>
  new Promise((resolve, reject) => {
    const subject = `$JS.API.DIRECT.GET.${logStream(namespace)}`
    let last = 0
    const next = () => {
      const query = { seq: last + 1, next_by_subj: filter, batch: 4096 }
      const close = client.requestMany(
        subject,
        Buffer.from(JSON.stringify(query)),
        undefined,
        message => {
          const text = headerText(message)
          if (text.startsWith(noStatus)) {
            last = Number(valueIn(text, 'Nats-Sequence'))
            try {
              take(message, text)
            } catch (error) {
              close()
              reject(error)
            }
            return
          }
          close()
          const code = message.headers?.code
          if (code === 204 && Number(message.headers?.get('Nats-Num-Pending')) > 0) next()
          else if (code === 204 || code === 404) resolve()
          else reject(new Error(`the read ended with code ${code}`))
        },
      )
    }
    next()
  })

const noStatus = 'NATS/1.0\r\n'

/**
 * The header lines of a message, which stand before its body in memory. (The client library's own headers take longer
 * than all the rest of a message.)
 *
 * @param {Msg & { size?(): number }} message
 */
const headerText = message => {
  const { subject, reply = '', data } = message
  const length = (message.size?.() ?? 0) - subject.length - reply.length - data.length
  return Buffer.from(data.buffer, data.byteOffset - length, length).toString('latin1')
}

/**
 * @param {string} headers
 * @param {string} name
 */
export const valueIn = (headers, name) => {
  const start = headers.indexOf(`\r\n${name}:`) + name.length + 3
  return headers.slice(start, headers.indexOf('\r\n', start)).trim()
}
