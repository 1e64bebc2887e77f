// A1.1 A commit with its outbox is all or nothing, at whatever step its node dies; its commands take effect
// once, and its messages are handled at least once.
//
// The steps are those of the commit, which is the outbox, of the checkpoint of a group, and of the handlers.
// CAIRN_CRASHES is the number of deaths on each backend (default 6: `npm run test:crashes` has every step often).

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import t from 'tap'

import type { Backend } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { formatAddress } from '../../src/model/address.js'
import type { StoredCommit } from '../../src/model/commit.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { newId } from '../../src/model/id.js'
import { outboxEntryId } from '../../src/model/outbox.js'
import { run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const deaths = Number(process.env.CAIRN_CRASHES ?? 6)
t.setTimeout(600_000 + deaths * 10_000)

const phases = ['before', 'begun', 'done']
const points = [
  ...['append order', 'append account', 'document courier', 'document reactor'].flatMap(
    step => phases.map(phase => `${step} ${phase}`),
  ),
  ...['publish', 'send', 'remove'].flatMap(step =>
    phases.map(phase => `${step} ${phase}`),
  ),
  // Between reading an outbox and delivering it, and between commit and reply.
  'read',
  'answered',
  'handler begun',
  'handler asked',
  'handler sent',
  'handler done',
]

interface Line {
  readonly kind: string
  readonly id: string
  readonly actor: string
  readonly n: number
  readonly version?: number
}

const sorted = (ids: readonly (string | undefined)[]) => ids.map(String).toSorted()

/** Everything that is stored and journalled in the end. */
interface Findings {
  readonly commits: readonly StoredCommit[]
  readonly noted: readonly string[]
  readonly lines: readonly Line[]
}

async function look(
  backend: Backend,
  namespace: string,
  journal: string,
): Promise<Findings> {
  await using open = await backend.open({ namespace, nodeId: 'looker' })
  const commits: StoredCommit[] = []
  for await (const record of open.store.readAll())
    if (record.kind === 'commit') commits.push(record)
  const noted: string[] = []
  for await (const { headers } of open.queues.topic.read())
    noted.push(headers['Cairn-Message']!)
  const lines = (await readFile(journal, 'utf8')).split('\n').filter(line => line !== '')
  return { commits, noted, lines: lines.map(line => JSON.parse(line) as Line) }
}

const servers = await startNats()
t.teardown(() => servers[Symbol.asyncDispose]())

const homes = [
  {
    name: 'JetStream',
    backend: jetstream({ servers: servers.url }),
    where: { servers: servers.url },
  },
  (() => {
    const dir = t.testdir()
    return { name: 'the embedded store', backend: embedded({ dir }), where: { dir } }
  })(),
]

for (const { name, backend, where } of homes)
  await t.test(`A1.1 a node dies at every step of a commit, on ${name}`, async t => {
    const namespace = `crash-${newId().slice(0, 8)}`
    const journal = join(t.testdir(), 'journal')
    await writeFile(journal, '')
    const mortal = (options: object) =>
      run([
        'test/support/programs/mortal.mjs',
        JSON.stringify({ ...where, namespace, journal, ...options }),
      ])
    const died = new Map(points.map(point => [point, 0]))
    // With fewer crashes than steps, each run tests other steps.
    const first = deaths < points.length ? Math.floor(Math.random() * points.length) : 0
    for (let i = 0; i < deaths; i++) {
      const point = points[(first + i) % points.length]!
      const nth = 1 + (i % 4)
      const { child, ended, stderr } = mortal({ run: i, point, nth })
      await until(() => child.exitCode !== null || child.signalCode !== null, {
        describe: `it dies at ${point}, the ${nth}. time`,
        timeout: 60_000,
      })
      await ended
      if (child.signalCode !== 'SIGKILL') t.fail(`${point}: ${stderr()}`)
      died.set(point, died.get(point)! + 1)
    }
    for (const [point, times] of died)
      if (times === 0 && deaths >= points.length) t.fail(`nothing died at ${point}`)

    const survivor = mortal({ run: deaths })
    t.teardown(() => survivor.child.kill('SIGKILL'))
    const audits = (lines: readonly Line[], kind: string) =>
      new Set(lines.filter(line => line.kind === kind).map(({ id }) => id))
    const findings = await until(
      async () => {
        if (survivor.child.exitCode !== null) throw new Error(survivor.stderr())
        const found = await look(backend, namespace, journal)
        const orders = found.commits.filter(({ actor }) => actor.type === 'order').length
        const credits = found.commits
          .filter(({ actor }) => actor.type === 'account')
          .flatMap(({ events }) => events)
        const isAllThere =
          found.lines.some(({ kind }) => kind === 'asked all') &&
          credits.length >= orders * 4 &&
          ['audit', 'ledger', 'echo'].every(
            group => audits(found.lines, group).size >= orders,
          )
        return isAllThere && found
      },
      { describe: 'all of it is delivered', timeout: 120_000, interval: 250 },
    )
    survivor.child.kill('SIGTERM')
    t.equal(await survivor.ended, 0, survivor.stderr())

    const { commits, noted, lines } = findings
    const of = (kind: string) => lines.filter(line => line.kind === kind)
    const placements = commits.filter(({ actor }) => actor.type === 'order')

    // Every command that was asked is one commit, and the other way round.
    const asked = of('asking')
    t.strictSame(
      placements.map(({ command }) => command!.id).toSorted(),
      asked.map(({ id }) => id).toSorted(),
      `${asked.length} commands, asked again by their ids, are one commit each`,
    )
    for (const { id, version } of of('answered')) {
      const commit = placements.find(({ command }) => command?.id === id)
      if (commit?.lastVersion !== version)
        t.fail(`${id}: what was answered is not stored`)
    }

    // Every event has its messages and commands, and the other way round.
    for (const { actor, events, outbox } of placements) {
      const [event, ...more] = events
      const n = event!.data
      const whole = [
        {
          kind: 'command',
          actor: { type: 'account', id: `for ${actor.id}` },
          type: 'credit',
          data: n,
        },
        { kind: 'message', topic: 'orders.placed', version: 1, data: n },
        {
          kind: 'command',
          actor: { type: 'account', id: 'fees' },
          type: 'credit',
          data: n,
        },
      ]
      if (more.length > 0 || JSON.stringify(outbox) !== JSON.stringify(whole))
        t.fail(`${event!.id}: half a commit`)
    }

    // Every derived command took effect once, and nothing else did.
    const messages = placements.map(({ actor, firstVersion, events }) => ({
      id: outboxEntryId(actor, firstVersion, 1),
      actor,
      n: events[0]!.data,
      carried: [0, 2].map(i => outboxEntryId(actor, firstVersion, i)),
    }))
    const credits: RecordedEvent[] = commits
      .filter(({ actor }) => actor.type === 'account')
      .flatMap(({ events }) => events)
    const idsAt = (id: string) =>
      credits.filter(({ actor }) => actor.id === id).map(({ commandId }) => commandId)
    t.strictSame(
      sorted(idsAt('fees')),
      sorted(messages.map(({ carried }) => carried[1])),
      'the outboxes of commits take effect once',
    )
    for (const id of new Set(placements.map(({ actor }) => actor.id)))
      t.strictSame(
        idsAt(`for ${id}`),
        messages.filter(({ actor }) => actor.id === id).map(({ carried }) => carried[0]),
        `the outbox of ${id} takes effect once, and in order`,
      )
    for (const [account, how] of [
      ['ledger', 'asks'],
      ['later', 'sends'],
    ] as const)
      t.strictSame(
        sorted(idsAt(account)),
        messages.map(({ id }) => `${id}>ledger#credit.0`).toSorted(),
        `what a handler ${how} acts once`,
      )
    t.equal(new Set(credits.map(({ id }) => id)).size, messages.length * 4)
    t.strictSame(
      [...new Set(noted)].toSorted(),
      messages.map(({ id }) => `${id}>ledger#ledger.noted.0`).toSorted(),
      'a message of a handler is stored under one id',
    )
    t.equal(noted.length, messages.length, 'once')

    // Every message reached each group at least once, in order per actor.
    for (const group of ['audit', 'ledger', 'echo']) {
      const heard = of(group)
      const first = [...new Map(heard.map(line => [line.id, line])).values()]
      const idOf = ({ id }: { id: string }) =>
        group === 'echo' ? `${id}>ledger#ledger.noted.0` : id
      for (const id of new Set(placements.map(({ actor }) => actor.id))) {
        const wanted = messages.filter(({ actor }) => actor.id === id)
        const ids = new Set(wanted.map(idOf))
        t.strictSame(
          first.filter(line => ids.has(line.id)).map(line => line.id),
          wanted.map(idOf),
          `${group} received all of ${id}, in order`,
        )
      }
      const repeated = heard.length - first.length
      t.comment(`${group}: ${first.length} messages, ${repeated} of them again`)
    }
    t.comment(
      `${deaths} deaths at ${[...died.values()].filter(times => times > 0).length} steps: ${placements.length} orders ` +
        `(${formatAddress(placements[0]!.actor)} and others), ${credits.length} credits`,
    )
  })
