// Integration code outside reactors: ten orders are published, pulled in one batch, and
// acknowledged by another process. Then a trigger calls a function with orders, proceeds past one
// that always fails, is stopped, and is started again.
//
// This program is both processes: with TOKENS in its environment it is the one that acknowledges.
// It needs a server: `npm run nats`.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { defineConsumer, defineTopic, isCairnError, jetstream, startNode } from 'cairn-es'

const placed = defineTopic('orders.placed')
// A message that is not settled within `ackWait` is redelivered, up to three attempts.
const erp = defineConsumer({ name: 'erp', on: placed, ackWait: 60_000, attempts: 3 })

const namespace = process.env.EXAMPLE_NS ?? `orders-${Date.now().toString(36)}`
// The failure below is on purpose; by default it would be logged to stderr.
await using node = await startNode({ namespace, store: jetstream(), log: false })

const { TOKENS } = process.env
if (TOKENS === undefined) await pullAndPush()
else await acknowledge(TOKENS.split(' '))

/** The second process knows only the tokens and the name of the consumer. */
async function acknowledge(tokens: readonly string[]): Promise<void> {
  const consumer = node.consumer('erp')
  await Promise.all(tokens.map(token => consumer.ack(token)))
  console.log(`another process has acknowledged ${tokens.length}`)
}

async function pullAndPush(): Promise<void> {
  const consumer = node.consumer(erp)
  for (let n = 1; n <= 10; n++) {
    const order = { number: n, lines: new Uint8Array([n, 0, 255]) }
    // Published again under its id, it is stored once.
    const options = { id: `order-${n}`, correlationId: 'shop-1' }
    const { position, at } = await node.publish(placed, order, options)
    if (n === 10) console.log(`published up to ${position}, at a time: ${at > 0}`)
  }

  const messages = await consumer.consume({ batch: 10, maxWait: 10_000 })
  const [first] = messages
  const { subject, sequence, headers, payload } = first!
  const { number, lines } = payload as { number: number; lines: Uint8Array }
  const { 'Cairn-Message': id, 'Cairn-Correlation': correlation } = headers
  console.log(`pulled ${messages.length}`)
  console.log(`the first: ${subject} ${sequence}, ${id} of ${correlation}`)
  console.log(`its payload: ${number}, bytes ${[...lines].join(' ')}`)

  const tokens = messages.map(({ ackToken }) => ackToken)
  const env = { ...process.env, EXAMPLE_NS: namespace, TOKENS: tokens.join(' ') }
  const program = fileURLToPath(import.meta.url)
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env })
  process.stdout.write(stdout)
  const { pending, waiting } = await consumer.status()
  console.log(`not settled: ${pending + waiting}`)
  try {
    await consumer.ack(tokens[0]!)
  } catch (error) {
    console.log(`acknowledged again: ${isCairnError(error) ? error.code : String(error)}`)
  }
  console.log(`nothing is left: ${(await consumer.consume({ maxWait: 0 })).length}`)

  const done: string[] = []
  const trigger = node.trigger(erp, message => {
    const { number } = message.payload as { number: number }
    if (number === 12) throw new Error('no such article')
    done.push(`order ${number}`)
  })
  await trigger.start()
  for (const n of [11, 12, 13]) await node.publish(placed, { number: n })
  await node.settled()
  await trigger.stop()
  console.log(`handled while it ran: ${done.join(', ')}`)
  for (const { reactor, attempts, error } of await dead())
    console.log(`dead: of ${reactor} after ${attempts} attempts: ${error.message}`)

  await node.publish(placed, { number: 14 })
  await trigger.start()
  await node.settled()
  console.log(`handled after another start: ${done[2]!}`)
}

async function dead() {
  const letters = []
  for await (const letter of node.deadLetters.list()) letters.push(letter)
  return letters
}
