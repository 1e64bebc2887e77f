// One message, three reactors, each in its own process: pricing, audit and notifications. Each of
// them handles every completed trip once. One that was stopped catches up when it is back, and a
// trip that is completed twice is charged once.
//
// This program is all four processes: without REACTOR in its environment it completes trips and
// starts the others. It needs a server: `npm run nats`.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import {
  defineActor,
  defineReactor,
  defineTopic,
  event,
  jetstream,
  type Message,
  publish,
  reject,
  startNode,
} from 'cairn-es'

interface TripCompleted {
  tripId: string
  userId: string
  amountCents: number
}

const completed = defineTopic('trips.completed')
const namespace = process.env.EXAMPLE_NS ?? `trips-${Date.now().toString(36)}`
const options = { namespace, store: jetstream() }

const centsPerSecond = 5
const trip = defineActor({
  type: 'trip',
  publishes: [completed],
  initialState: { isCompleted: false },
  decide: {
    complete(state, { userId, seconds }: { userId: string; seconds: number }, { actor }) {
      if (state.isCompleted) return reject('completed', 'It is completed already.')
      const amountCents = seconds * centsPerSecond
      const data: TripCompleted = { tripId: actor.id, userId, amountCents }
      return [event('completed', data), publish(completed, data)]
    },
  },
  evolve: { completed: () => ({ isCompleted: true }) },
})

/** The effect of each reactor; the trip's id makes it idempotent. */
const reactors: Record<string, (trip: TripCompleted) => string> = {
  pricing: ({ tripId, amountCents }) => `${tripId} costs ${amountCents} cents`,
  audit: ({ tripId, userId }) => `${tripId} by ${userId} is filed`,
  notify: ({ userId, tripId }) => `${userId} is notified of ${tripId}`,
}

const role = process.env.REACTOR
if (role === undefined) await director()
else await reactor(role)

async function reactor(name: string): Promise<void> {
  const react = reactors[name]
  if (react === undefined)
    throw new Error(`REACTOR is ${name}: use pricing, audit or notify.`)
  const node = await startNode({
    ...options,
    reactors: [
      defineReactor({
        name,
        on: completed,
        handle: (message: Message) =>
          void process.send?.(react(message.data as TripCompleted)),
      }),
    ],
  })
  process.once('SIGTERM', () => void node.close().then(() => process.disconnect()))
  process.send?.('ready')
}

async function director(): Promise<void> {
  const output = new Map<string, string[]>()
  const start = async (name: string): Promise<ChildProcess> => {
    const child = fork(fileURLToPath(import.meta.url), {
      env: { ...process.env, REACTOR: name, EXAMPLE_NS: namespace },
    })
    const lines = output.get(name) ?? []
    output.set(name, lines)
    // It may handle waiting messages before it reports that it is ready.
    await new Promise<void>(ready => {
      child.on('message', (line: string) =>
        line === 'ready' ? ready() : lines.push(line),
      )
    })
    return child
  }
  const stop = async (child: ChildProcess) => {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  const waitForLines = async (name: string, count: number) => {
    while (output.get(name)!.length < count)
      await new Promise(next => setTimeout(next, 20))
  }

  await using node = await startNode({ ...options, actors: [trip] })
  const names = Object.keys(reactors)
  const children = new Map<string, ChildProcess>()
  for (const name of names) children.set(name, await start(name))

  await node.spawn(trip, 't-1').ask('complete', { userId: 'ada', seconds: 60 })
  for (const name of names) await waitForLines(name, 1)
  await stop(children.get('audit')!)
  console.log('audit is stopped')

  await node.spawn(trip, 't-2').ask('complete', { userId: 'bo', seconds: 10 })
  const again = await node
    .spawn(trip, 't-1')
    .ask('complete', { userId: 'ada', seconds: 60 })
  if (!again.ok) console.log(`t-1 again: ${again.rejection.message}`)
  for (const name of ['pricing', 'notify']) await waitForLines(name, 2)

  children.set('audit', await start('audit'))
  await waitForLines('audit', 2)
  console.log('audit is back')
  for (const child of children.values()) await stop(child)
  for (const name of names)
    for (const line of output.get(name)!) console.log(`${name}: ${line}`)
}
