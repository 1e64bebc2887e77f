// A node with one of everything that the API shows, and its HTTP door with a token for each role.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { httpHandler, type HttpOptions } from '../../src/doors/http.js'
import {
  contract,
  defineActor,
  defineConsumer,
  defineProjection,
  defineReactor,
  defineTopic,
  event,
  memory,
  publish,
  reject,
  schedule,
  send,
  startNode,
} from '../../src/index.js'
import { until } from '../support/wait.js'

export const sold = defineTopic('sold')

export const till = defineActor({
  type: 'till',
  initialState: { sum: 0 },
  publishes: [sold],
  decide: {
    sell(_state, { price }: { price: number }) {
      if (price <= 0) return reject('no-price', `A price of ${price} is none.`)
      return { events: event('sold', { price }), reply: after => after.sum }
    },
    announce: (_state, { price }: { price: number }) => [
      event('sold', { price }),
      publish(sold, { price }),
    ],
    pass: (_state, { to }: { to: string }) => [
      event('passed', { to }),
      send(contract('till'), to, 'sell', { price: 1 }),
    ],
    remind: (_state, { after }: { after: number }) => [
      event('reminded'),
      schedule('reminder', { after }, 'sell', { price: 2 }),
    ],
    look: state => ({ events: [], reply: () => state.sum }),
  },
  evolve: {
    sold: (state, { price }: { price: number }) => ({ sum: state.sum + price }),
    passed: state => state,
    reminded: state => state,
  },
})

const ledger = defineReactor({
  name: 'ledger',
  on: sold,
  retry: { attempts: 1 },
  handle({ data }) {
    throw new TypeError(`no ledger for ${JSON.stringify(data)}`)
  },
})

const sums = defineProjection({
  name: 'sums',
  from: till,
  initial: { sum: 0 },
  when: { sold: ({ sum }, { data }) => ({ sum: sum + data.price }) },
})

export const tokens = {
  reader: 'token-of-the-reader',
  writer: 'token-of-the-writer',
  operator: 'token-of-the-operator',
  /** A second writer. */
  other: 'token-of-another-writer',
} as const

export type Login = keyof typeof tokens

export interface Sent {
  readonly as?: Login | 'nobody' | 'stranger'
  readonly method?: string
  /** Sent as JSON, unless it is text. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Opens the shop; `fill` makes one of everything. */
export async function openShop(options: HttpOptions = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-http-'))
  const file = join(dir, 'tokens')
  const lines = Object.entries(tokens).map(([name, token]) => {
    const role = name === 'other' ? 'writer' : name
    return `${token} ${name === 'other' ? 'otto' : name} ${role}`
  })
  await writeFile(file, `# who may do what\n${lines.join('\n')}\n`)
  const node = await startNode({
    namespace: 'shop',
    id: 'n1',
    store: memory(),
    actors: [till],
    reactors: [ledger],
    projections: [sums],
    log: false,
  })
  const http = await httpHandler(node, { tokens: file, log: false, ...options })
  const request = (path: string, { as = 'writer', method, body, headers }: Sent = {}) => {
    const token = as === 'stranger' ? 'a-token-of-nobody-here' : as
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return http.fetch(
      new Request(`http://127.0.0.1:7070${path}`, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          host: '127.0.0.1:7070',
          ...(as !== 'nobody' && {
            authorization: `Bearer ${as === 'stranger' ? token : tokens[as]}`,
          }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: text }),
      }),
    )
  }
  const json = async (path: string, sent?: Sent) => {
    const response = await request(path, sent)
    return { status: response.status, body: (await response.json()) as Body }
  }
  return {
    node,
    http,
    file,
    request,
    json,
    /** One of everything: events, a timer, a dead letter, a row, a consumer with a message. */
    async fill() {
      const ask = (command: string, body: object) =>
        json(`/v1/actors/till/t1/ask/${command}`, { body })
      await ask('sell', { price: 5 })
      await node
        .consumer(defineConsumer({ name: 'erp', on: sold }))
        .consume({ maxWait: 1 })
      await ask('announce', { price: 7 })
      await ask('remind', { after: 3_600_000 })
      await until(async () => {
        const { body } = await json('/v1/dead-letters')
        const { body: row } = await json('/v1/projections/sums/rows/t1')
        return (body.deadLetters as unknown[]).length > 0 && row.row !== undefined
      })
    },
    async [Symbol.asyncDispose]() {
      http.close()
      await node.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

export type Body = Record<string, unknown>

/** The events of a stream, parsed, until `count` have come. */
export async function eventsOf(response: Response, count: number) {
  const found: { id?: string; event: string; data: Body }[] = []
  const decoder = new TextDecoder()
  let text = ''
  const reader = response.body!.getReader()
  while (found.length < count) {
    const { done, value } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop()!
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block.split('\n').map(line => {
          const colon = line.indexOf(': ')
          return [line.slice(0, colon), line.slice(colon + 2)] as const
        }),
      )
      if (fields['data'] === undefined) continue
      found.push({
        ...(fields['id'] !== undefined && { id: fields['id'] }),
        event: fields['event']!,
        data: JSON.parse(fields['data']) as Body,
      })
    }
  }
  await reader.cancel()
  return found
}
