// Notifications with retries and dead letters, in one reactor. A booking is created and completed;
// its mails and pushes are sent once, also when an attempt fails half way. A message that cannot be
// delivered becomes a dead letter, and is redriven when the cause is fixed.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  defineActor,
  defineReactor,
  defineTopic,
  embedded,
  event,
  publish,
  reject,
  startNode,
  TerminalError,
} from 'cairn-es'

interface Booking {
  bookingId: string
  customer: string
}

const created = defineTopic('bookings.created')
const completed = defineTopic('bookings.completed')

const booking = defineActor({
  type: 'booking',
  publishes: [created, completed],
  initialState: { status: 'none', customer: '' },
  decide: {
    create(state, { customer }: { customer: string }, { actor }) {
      if (state.status !== 'none') return reject('created')
      const data: Booking = { bookingId: actor.id, customer }
      return [event('created', { customer }), publish(created, data)]
    },
    complete({ status, customer }, _data: undefined, { actor }) {
      if (status !== 'created') return reject('not-open', `It is ${status}.`)
      const data: Booking = { bookingId: actor.id, customer }
      return [event('completed'), publish(completed, data)]
    },
  },
  evolve: {
    created: (_state, { customer }: { customer: string }) => ({
      status: 'created',
      customer,
    }),
    completed: state => ({ ...state, status: 'completed' }),
  },
})

/** The queue of a mail or push service: it accepts each key once. */
class Service {
  readonly #taken = new Map<string, string>()

  get sent(): string[] {
    return [...this.#taken.values()]
  }

  send(key: string, text: string): void {
    if (!this.#taken.has(key)) this.#taken.set(key, text)
  }
}

const mails = new Service()
const pushes = new Service()
const addresses = new Map([['ada', 'ada@example.org']])
const attempts: string[] = []

const notifications = defineReactor({
  name: 'notifications',
  on: [created, completed],
  retry: { attempts: 3, first: 10, factor: 2 },
  handle({ id, topic, data }, { attempt }) {
    const { bookingId, customer } = data as Booking
    const verb = topic.split('.')[1]!
    attempts.push(`${bookingId} ${verb}, attempt ${attempt}`)
    const address = addresses.get(customer)
    if (address === undefined) throw new TerminalError(`${customer} has no address`)
    mails.send(`${id}/mail`, `mail to ${address}: ${bookingId} is ${verb}`)
    // Between the two effects: the next attempt does not send the mail again.
    if (verb === 'completed' && attempt < 3) throw new Error('the push service is busy')
    pushes.send(`${id}/push`, `push to ${customer}: ${bookingId} is ${verb}`)
  },
})

const dir = await mkdtemp(join(tmpdir(), 'cairn-bookings-'))
const node = await startNode({
  namespace: 'bookings',
  store: embedded({ dir }),
  actors: [booking],
  reactors: [notifications],
  // The failures below are on purpose; by default they would be logged to stderr.
  log: false,
})
const dead = async () => {
  const letters = []
  for await (const letter of node.deadLetters.list()) letters.push(letter)
  return letters
}

// The request ends with the commit; it does not wait for mails.
await node.spawn(booking, 'b-1').ask('create', { customer: 'ada' })
await node.spawn(booking, 'b-1').ask('complete')
const again = await node.spawn(booking, 'b-1').ask('complete')
if (!again.ok) console.log(`b-1 again: ${again.rejection.message}`)
await node.settled()
await node.spawn(booking, 'b-2').ask('create', { customer: 'bo' })
await node.settled()

for (const line of attempts) console.log(line)
for (const { message, reason, error } of await dead())
  console.log(`dead: ${message.id}, ${reason}: ${error.message}`)

addresses.set('bo', 'bo@example.org')
console.log(`redriven: ${await node.deadLetters.retryAll({ reason: 'terminal' })}`)
await node.settled()
for (const line of [...mails.sent, ...pushes.sent]) console.log(line)

await node.close()
await rm(dir, { recursive: true })
