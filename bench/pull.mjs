// A pull consumer of a log, as the client library gives one: what replays and reactors are held against.
import { AckPolicy, connect, nuid } from 'nats'
import { unpack } from 'msgpackr'
import { logStream } from 'cairn-es/bench'
import { verify } from './benchmark.mjs'

/**
 * Reads a whole log of commits of one event, which must come without a gap; each is acknowledged.
 *
 * @param {{ servers: string }} where
 * @param {string} namespace
 * @param {object} options
 * @param {number} options.total messages in the log
 * @param {number} options.batch messages that are asked for at a time
 * @returns {Promise<{ whole: number, fromFirst: number }>} milliseconds, from the request and from the first message on
 */
export const pullAll = async ({ servers }, namespace, { total, batch }) => {
  const connection = await connect({ servers: servers.split(',') })
  try {
    const stream = logStream(namespace)
    const name = nuid.next()
    const manager = await connection.jetstreamManager()
    await manager.consumers.add(stream, {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
    })
    const consumer = await connection.jetstream().consumers.get(stream, name)
    const start = performance.now()
    const messages = await consumer.consume({ max_messages: batch })
    let [count, first] = [0, start]
    for await (const message of messages) {
      if (count === 0) first = performance.now()
      verify(message.seq === ++count, () => `${message.seq} came as message ${count}`)
      message.ack()
      if (count === total) break
    }
    await connection.flush()
    const end = performance.now()
    await manager.consumers.delete(stream, name)
    return { whole: end - start, fromFirst: end - first }
  } finally {
    await connection.close()
  }
}

/**
 * The same without acknowledgements, as fast as the client library allows: with a callback for each message, which is
 * decoded and checked.
 *
 * @param {{ servers: string }} where
 * @param {string} namespace
 * @param {object} options
 * @param {number} options.total messages in the log
 * @param {number} options.batch messages that are asked for at a time
 * @returns {Promise<number>} milliseconds
 */
export const consumeAll = async ({ servers }, namespace, { total, batch }) => {
  const connection = await connect({ servers: servers.split(',') })
  try {
    const stream = logStream(namespace)
    const name = nuid.next()
    const manager = await connection.jetstreamManager()
    await manager.consumers.add(stream, { name, ack_policy: AckPolicy.None })
    const consumer = await connection.jetstream().consumers.get(stream, name)
    const start = performance.now()
    /** @type {(message: import('nats').JsMsg) => void} */
    let callback = () => {}
    /** @type {Promise<number>} */
    const finished = new Promise((resolve, reject) => {
      let count = 0
      callback = message => {
        try {
          const { events } = unpack(message.data)
          verify(message.seq === ++count, () => `${message.seq} came as message ${count}`)
          verify(events.length === 1, () => `message ${count} has no event`)
          if (count === total) resolve(performance.now())
        } catch (error) {
          reject(error)
        }
      }
    })
    const [messages, end] = await Promise.all([
      consumer.consume({ max_messages: batch, callback }),
      finished,
    ])
    messages.stop()
    await manager.consumers.delete(stream, name)
    return end - start
  } finally {
    await connection.close()
  }
}
