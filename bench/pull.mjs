// A pull consumer of a log, as the client library gives one: what replays and reactors are held against.
import { AckPolicy, connect, nuid } from 'nats'
import { logStream } from 'cairn-es/bench'
import { verify } from './benchmark.mjs'

/**
 * Reads a whole log of commits of one event, which must come without a gap.
 *
 * @param {{ servers: string }} where
 * @param {string} namespace
 * @param {object} options
 * @param {number} options.total messages in the log
 * @param {number} options.batch messages that are asked for at a time
 * @param {boolean} options.acks whether it is durable, and each message acknowledged
 * @returns {Promise<{ whole: number, fromFirst: number }>} milliseconds, from the request and from the first message on
 */
export const pullAll = async ({ servers }, namespace, { total, batch, acks }) => {
  const connection = await connect({ servers: servers.split(',') })
  try {
    const stream = logStream(namespace)
    const name = nuid.next()
    const manager = await connection.jetstreamManager()
    await manager.consumers.add(
      stream,
      acks
        ? { durable_name: name, ack_policy: AckPolicy.Explicit }
        : { name, ack_policy: AckPolicy.None },
    )
    const consumer = await connection.jetstream().consumers.get(stream, name)
    const start = performance.now()
    const messages = await consumer.consume({ max_messages: batch })
    let [count, first] = [0, start]
    for await (const message of messages) {
      if (count === 0) first = performance.now()
      verify(message.seq === ++count, () => `${message.seq} came as message ${count}`)
      if (acks) message.ack()
      if (count === total) break
    }
    if (acks) await connection.flush()
    const end = performance.now()
    await manager.consumers.delete(stream, name)
    return { whole: end - start, fromFirst: end - first }
  } finally {
    await connection.close()
  }
}
