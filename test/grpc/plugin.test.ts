// Plugins in this process: manifests that are checked, work that is asked for, and results that do not fit.

import { PluginService, type HostResponse, type Work } from '@cairn-es/grpc/contracts'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HostRequestSchema, ManifestSchema } from '@cairn-es/grpc/contracts'
import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import t, { type Test } from 'tap'

import { memory } from '../../src/backend/memory.js'
import { isCairnError } from '../../src/model/errors.js'
import { defineTopic } from '../../src/model/topic.js'
import { startNode } from '../../src/runtime/start-node.js'
import { type GrpcOptions, problemOf, serveGrpc } from '../support/grpc.js'
import { until } from '../support/wait.js'

type Said = MessageInitShape<typeof HostRequestSchema>
type Manifest = MessageInitShape<typeof ManifestSchema>

async function open(t: Test, options: Partial<GrpcOptions> = {}) {
  const backend = memory()
  const node = await startNode({ namespace: 'plugins', store: backend })
  const door = await serveGrpc({ node, backend, listen: '127.0.0.1:0', ...options })
  t.teardown(async () => {
    await door.close()
    await node.close()
  })
  /** A plugin that says what it is told to say. */
  const register = (manifest: Manifest) => {
    const ending = new AbortController()
    const said: Said[] = [{ manifest }]
    let wake = () => {}
    const say = (...more: Said[]) => {
      said.push(...more)
      wake()
    }
    async function* requests(): AsyncGenerator<Said> {
      for (;;) {
        while (said.length > 0) yield said.shift()!
        await new Promise<void>(resolve => (wake = resolve))
      }
    }
    const client = createClient(
      PluginService,
      createGrpcTransport({ baseUrl: door.address }),
    )
    const heard: HostResponse[] = []
    let end: unknown
    const listening = (async () => {
      const responses = client.host(requests(), { signal: ending.signal })
      for await (const response of responses) heard.push(response)
    })().catch((error: unknown) => (end = problemOf(error)))
    t.teardown(() => ending.abort())
    return {
      heard,
      say,
      work: (): readonly Work[] => heard.flatMap(({ work }) => work),
      registered: () => until(() => heard[0]?.registered ?? (end !== undefined && end)),
      die: () => ending.abort(),
      /** The error that it got. */
      async ended() {
        await listening
        return end
      },
    }
  }
  return { node, door, register }
}

const valid = {
  name: 'one',
  version: '1.0.0',
  contracts: ['cairn.v1'],
  workMax: 2,
} satisfies Manifest

await t.test(
  'a manifest that does not fit is refused, and each mismatch is named',
  async t => {
    const topics = [defineTopic('trips')]
    const plugin = { name: 'one', version: '1.0.0' }
    const { register } = await open(t, { topics, plugin })
    const error = await register({
      name: 'Two',
      version: '',
      contracts: ['cairn.v2', 'topic:trips@2'],
      workMax: 0,
      actorTypes: [
        { type: 'cairn-x', version: 0 },
        { type: 'a', version: 1, commands: ['x', 'x'], events: ['e'] },
        { type: 'a', version: 1, commands: ['x'], events: ['e'], publishes: ['*'] },
      ],
      reactors: [{ name: 'no name' }, { name: 'r', topics: ['a..b'], attempts: 0 }],
      triggers: [{ consumer: '', eventsOf: ['1'], concurrency: 0 }],
    }).ended()
    if (!isCairnError(error, 'invalid-definition')) throw error
    const { mismatches } = error.details as {
      mismatches: { path: string; problem: string }[]
    }
    for (const [path, problem] of [
      ['name', /Two/],
      ['name', /one is expected/],
      ['version', /missing/],
      ['contracts', /lacks cairn\.v1/],
      ['contracts', /topic:trips@2, and this host has topic:trips@1/],
      ['work_max', /1 to 10000/],
      ['actor_types[0].type', /cairn-x/],
      ['actor_types[0].version', /from 1/],
      ['actor_types[0].commands', /empty/],
      ['actor_types[0].events', /empty/],
      ['actor_types[1].commands', /twice/],
      ['actor_types', /"a" twice/],
      ['actor_types[2].publishes', /not a topic/],
      ['reactors[0].name', /no name/],
      ['reactors[0].topics', /empty/],
      ['reactors[1].topics', /not a topic/],
      ['reactors[1].attempts', /from 1/],
      ['triggers[0].consumer', /""/],
      ['triggers[0].events_of', /actor type/],
      ['triggers[0].concurrency', /from 1/],
    ] as const)
      t.ok(
        mismatches.some(found => found.path === path && problem.test(found.problem)),
        `${path}: ${problem.source}`,
      )
    t.match(await register({ ...valid, reactors: [] }).ended(), {
      code: 'invalid-definition',
      message: /handles nothing/,
    })
  },
)

await t.test('a plugin gets no more work than it asks for', async t => {
  const { node, register } = await open(t)
  const topic = defineTopic('jobs')
  const plugin = register({ ...valid, reactors: [{ name: 'work', topics: ['jobs'] }] })
  await plugin.registered()
  for (let i = 0; i < 5; i++) await node.publish(topic, i)
  for (let done = 0; done < 5; done++) {
    await until(() => plugin.work().length > done)
    await until(() => plugin.work().length === Math.min(5, done + 2))
    const { id } = plugin.work()[done]!
    plugin.say({ results: [{ id, result: { case: 'reacted', value: {} } }] })
  }
  t.equal(plugin.work().length, 5)
})

await t.test(
  'an answer of another kind fails the work, and states are folded on request',
  async t => {
    const { node, register } = await open(t)
    const plugin = register({
      ...valid,
      actorTypes: [{ type: 'sum', version: 1, commands: ['add'], events: ['added'] }],
    })
    await plugin.registered()
    const sum = { type: 'sum', id: 'one' }
    // Stored by somebody else: its state is in no commit.
    await node.store.append(sum, [
      { type: 'added', data: 1 },
      { type: 'added', data: 2 },
    ])
    const ask = async (result: NonNullable<Said['results']>[number]['result']) => {
      const before = plugin.work().length
      const asked = node.ask(sum, 'add', 3).catch((error: unknown) => error)
      const work = await until(() => plugin.work()[before])
      plugin.say({ results: [{ id: work.id, result: result! }] })
      return { work, outcome: await asked }
    }
    const json = (number: number) =>
      ({
        kind: { case: 'json', value: { kind: { case: 'numberValue', value: number } } },
      }) as const
    const wrong = await ask({ case: 'fired', value: {} })
    t.match(wrong.outcome, { code: 'remote-failure' })
    t.match(wrong.work.work, {
      case: 'decide',
      value: { command: 'add', basis: { version: 2n, events: [{}, {}] } },
    })
    const accept = (value: object) =>
      ask({
        case: 'decided',
        value: { decision: { case: 'accept', value } },
      })
    t.match((await accept({ events: [{ type: 'added', data: json(3) }] })).outcome, {
      code: 'invalid-definition',
      message: /without the state/,
    })
    t.match((await accept({ events: [{ type: 'taken' }], state: json(6) })).outcome, {
      code: 'invalid-definition',
      message: /taken/,
    })
    t.match(
      (
        await accept({
          outbox: [{ entry: { case: 'message', value: { topic: 'x' } } }],
        })
      ).outcome,
      { code: 'invalid-definition', message: /without an event/ },
    )
    t.match(
      (
        await accept({
          events: [{ type: 'added' }],
          state: json(1),
          outbox: [{ entry: { case: 'message', value: { topic: 'x' } } }],
        })
      ).outcome,
      { code: 'invalid-definition', message: /publishes/ },
    )
    t.match((await ask({ case: 'decided', value: {} })).outcome, {
      code: 'remote-failure',
    })
    const accepted = await accept({
      events: [{ type: 'added', data: json(3) }],
      state: json(6),
      reply: json(6),
    })
    t.match(accepted.outcome, { ok: true, version: 3, reply: 6 })
    const { work } = await ask({ case: 'failed', value: { name: 'Odd', message: 'no' } })
    t.match(work.work, {
      value: {
        basis: { events: [], state: { kind: { value: { kind: { value: 6 } } } } },
      },
    })
  },
)

await t.test('a plugin that goes is followed by its next registration', async t => {
  const { node, door, register } = await open(t)
  const manifest = {
    ...valid,
    actorTypes: [{ type: 'sum', version: 1, commands: ['add'], events: ['added'] }],
  }
  const first = register(manifest)
  await first.registered()
  const asked = node
    .ask({ type: 'sum', id: 'one' }, 'add')
    .catch((error: unknown) => error)
  await until(() => first.work().length === 1)
  first.die()
  const error = await asked
  t.ok(isCairnError(error) && error.retryable, 'the caller may ask again')
  const second = register(manifest)
  await second.registered()
  const again = node.ask({ type: 'sum', id: 'one' }, 'add')
  const work = await until(() => second.work()[0])
  second.say({
    results: [
      {
        id: work.id,
        result: {
          case: 'decided',
          value: { decision: { case: 'reject', value: { code: 'no' } } },
        },
      },
    ],
  })
  t.match(await again, { ok: false, rejection: { code: 'no' } })
  await door.drain()
  await until(() => second.heard.some(({ draining }) => draining))
  t.match(await register(manifest).ended(), { code: 'node-closed' })
})
