// A node that kills itself (SIGKILL) at one chosen step of what it does with commits and
// messages: at the n-th time that it gets there.
//
//     node mortal.mjs '{"servers":…|"dir":…, "namespace":…, "journal":FILE, "run":N, "point":…, "nth":N}'
//
// It asks what the journal says was asked and not answered, by its id, then more. Every line
// of the journal is written before the process goes on, so it is there whatever happens next.
// Without a point it asks nothing new, and works until SIGTERM.

import { appendFileSync, readFileSync } from 'node:fs'

import {
  defineActor,
  defineReactor,
  defineTopic,
  embedded,
  event,
  isCairnError,
  jetstream,
  publish,
  send,
  startNode,
} from 'cairn-es'

/**
 * @typedef {{ servers?: string, dir?: string, namespace: string, journal: string, run: number, point?: string, nth?: number }} Options
 * @typedef {{ kind: string, id: string, actor: string, n: number }} Line
 */
/** @type {Options} */
const options = JSON.parse(process.argv[2] ?? '')
const { namespace, journal, point, nth = 1 } = options

/** Orders that are placed by, and what one process places at most. */
const orders = ['a', 'b', 'c']
const placesMax = 6

/** @param {object} line */
function write(line) {
  appendFileSync(journal, `${JSON.stringify({ run: options.run, ...line })}\n`)
}

let passed = 0
/** @param {string} name */
const isHere = name => name === point && ++passed === nth

function die() {
  write({ kind: 'died', point })
  process.kill(process.pid, 'SIGKILL')
}

/** @param {string} name */
function step(name) {
  if (isHere(name)) die()
}

/**
 * Before, in the midst of, and after something that another process may see the effect of.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 */
async function steps(name, work) {
  step(`${name} before`)
  const working = work()
  if (isHere(`${name} begun`)) {
    // How far it gets is chance: it is on its way, or there, or neither.
    for (let turn = 0; turn < nth; turn++) await new Promise(done => setImmediate(done))
    die()
  }
  const result = await working
  step(`${name} done`)
  return result
}

/**
 * @template {object} T
 * @param {T} target
 * @param {Partial<T>} instead
 * @returns {T}
 */
function replacing(target, instead) {
  return new Proxy(target, {
    get(_target, name) {
      const holder = name in instead ? instead : target
      const value = Reflect.get(holder, name, holder)
      return typeof value === 'function' ? value.bind(holder) : value
    },
  })
}

/**
 * @param {import('cairn-es').Backend} backend
 * @returns {import('cairn-es').Backend}
 */
function mortal(backend) {
  return {
    kind: backend.kind,
    async open(opening) {
      const open = await backend.open(opening)
      const { store, documents, queues } = open
      return {
        ...open,
        store: replacing(store, {
          append: (actor, events, rest) =>
            steps(`append ${actor.type}`, () => store.append(actor, events, rest)),
          async *readAll(rest) {
            for await (const record of store.readAll(rest)) {
              if (record.kind === 'commit' && record.outbox !== undefined) step('read')
              yield record
            }
          },
        }),
        documents: replacing(documents, {
          put: (key, value, revision) =>
            steps(`document ${key[0]}`, () => documents.put(key, value, revision)),
        }),
        queues: {
          ...queues,
          topic: replacing(queues.topic, {
            put: (record, rest) => steps('publish', () => queues.topic.put(record, rest)),
          }),
          inbox: replacing(queues.inbox, {
            put: (record, rest) => steps('send', () => queues.inbox.put(record, rest)),
            remove: positions => steps('remove', () => queues.inbox.remove(positions)),
          }),
        },
      }
    },
  }
}

const placed = defineTopic('orders.placed')
const noted = defineTopic('ledger.noted')

const account = defineActor({
  type: 'account',
  initialState: { sum: 0 },
  decide: { credit: (_state, /** @type {number} */ n) => event('credited', n) },
  evolve: { credited: (state, /** @type {number} */ n) => ({ sum: state.sum + n }) },
})

const order = defineActor({
  type: 'order',
  publishes: [placed],
  initialState: { count: 0 },
  decide: {
    place: (_state, /** @type {number} */ n, { actor }) => [
      event('placed', n),
      send(account, `for ${actor.id}`, 'credit', n),
      publish(placed, n),
      send(account, 'fees', 'credit', n),
    ],
  },
  evolve: { placed: state => ({ count: state.count + 1 }) },
})

/** @param {string} group @param {import('cairn-es').Message} message */
const heard = (group, { id, actor, data }) =>
  write({ kind: group, id, actor: actor?.id ?? '', n: data })

const audit = defineReactor({
  name: 'audit',
  on: placed,
  handle: message => heard('audit', message),
})
const ledger = defineReactor({
  name: 'ledger',
  on: placed,
  async handle(message, { spawn, publish }) {
    const n = Number(message.data)
    step('handler begun')
    await spawn(account, 'ledger').ask('credit', n)
    step('handler asked')
    await spawn(account, 'later').send('credit', n)
    step('handler sent')
    await publish(noted, n, { key: message.actor?.id ?? '' })
    heard('ledger', message)
    step('handler done')
  },
})
const echo = defineReactor({
  name: 'echo',
  on: noted,
  handle: message => heard('echo', message),
})

const { servers, dir = '' } = options
const node = await startNode({
  namespace,
  id: 'mortal',
  store: mortal(servers === undefined ? embedded({ dir }) : jetstream({ servers })),
  actors: [order, account],
  reactors: [audit, ledger, echo],
})

/** @param {string} actor @param {string} id @param {number} n */
async function place(actor, id, n) {
  for (;;)
    try {
      const { version } = await node
        .spawn(order, actor)
        .ask('place', n, { commandId: id })
      step('answered')
      return write({ kind: 'answered', id, actor, n, version })
    } catch (error) {
      if (!isCairnError(error) || !error.retryable) throw error
    }
}

const told = readFileSync(journal, 'utf8').split('\n').filter(Boolean)
/** @type {Line[]} */
const lines = told.map(line => JSON.parse(line))
const answered = new Set(
  lines.filter(({ kind }) => kind === 'answered').map(({ id }) => id),
)

/** @param {string} actor */
async function work(actor) {
  const asked = lines.filter(line => line.kind === 'asking' && line.actor === actor)
  for (const { id, n } of asked) if (!answered.has(id)) await place(actor, id, n)
  if (point === undefined) return
  for (let i = 1; i <= placesMax; i++) {
    const [n, id] = [asked.length + i, `${actor}/${options.run}/${i}`]
    write({ kind: 'asking', id, actor, n })
    await place(actor, id, n)
  }
}

process.once('SIGTERM', () => void node.close())
await Promise.all(orders.map(work))
if (point === undefined) write({ kind: 'asked all' })
