// The server fails to write a stream, as on a full disk: it answers no publish to it until it is restarted. Callers
// are told why, soon; "nothing was stored" is said only of what was not sent.

import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import t, { type Test } from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import type { CairnError } from '../../src/model/errors.js'
import { apiError } from '../../src/nats/errors.js'
import { errorOutcome } from '../../src/nats/publish-outcome.js'
import { logStream, queueStream } from '../../src/nats/subjects.js'
import { startNode } from '../../src/runtime/start-node.js'
import { deposits, mustAppend } from '../contract/store/support.js'
import { type NatsServer, startNats } from '../support/nats.js'
import { takingLog } from '../support/log.js'
import { freshNamespace, openNode, readHistory } from './nodes.js'

const big = [{ type: 'noted', data: 'x'.repeat(900_000) }]
const actorOf = (id: string | number) => ({ type: 'account', id: String(id) })

/** The server can append to the stream's file, and can begin no other. */
async function breakStream({ dir }: NatsServer, stream: string) {
  const folder = join(dir, 'jetstream', '$G', 'streams', stream, 'msgs')
  await rename(folder, `${folder}.away`)
  await writeFile(folder, '')
  return async () => {
    await rm(folder)
    await rename(`${folder}.away`, folder)
  }
}

/** Repeats until it fails; a file takes about ten of `big`. */
async function untilItFails(work: (i: number) => Promise<unknown>): Promise<CairnError> {
  for (let i = 0; i < 40; i++)
    try {
      await work(i)
    } catch (error) {
      return error as CairnError
    }
  throw new Error('the server still stores')
}

const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error as CairnError,
  )

/** The message names the stream, the server's reason and the remedy. */
function names(t: Test, error: CairnError | undefined, code: string, stream: string) {
  t.equal(error?.code, code, String(error))
  for (const part of [stream, 'not a directory', 'Make room', 'restart the server'])
    t.match(error?.message, part)
}

await t.test('a log that cannot be written', async t => {
  await using server = await startNats()
  const namespace = freshNamespace()
  const stream = logStream(namespace)
  await using node = await openNode(server.url, { namespace })
  const { store } = node
  await mustAppend(store, actorOf('before'), deposits(1))
  const repair = await breakStream(server, stream)
  let stored = 1
  const first = await untilItFails(async i => {
    await store.append(actorOf(i), big, { expected: 0 })
    stored++
  })
  names(t, first, 'outcome-unknown', stream)
  t.type(first.details.commitId, 'string')
  t.match(node.connection.writeFailures.list(), [{ stream, reason: /not a directory/ }])

  const refused = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      errorOf(store.append(actorOf(`later-${i}`), deposits(1), { expected: 0 })),
    ),
  )
  const part = (id: string) => ({ actor: actorOf(id), events: deposits(1), expected: 0 })
  refused.push(await errorOf(store.appendAll([part('later-a'), part('later-b')])))
  for (const error of refused) {
    names(t, error, 'storage-failed', stream)
    t.match(error?.message, 'Nothing was stored')
  }

  await repair()
  await server.restart()
  await mustAppend(store, actorOf('later-0'), deposits(1), { expected: 0 })
  t.strictSame(node.connection.writeFailures.list(), [])
  const { commits, dense } = await readHistory(store)
  t.strictSame(dense, [])
  const later = commits.filter(({ actor }) => actor.id.startsWith('later'))
  t.strictSame(
    later.map(({ actor }) => actor.id),
    ['later-0'],
    'what was refused is not stored',
  )
  const unknown = commits.some(({ id }) => id === first.details.commitId) ? 1 : 0
  t.equal(commits.length, stored + unknown + 1)
})

await t.test('an inbox that cannot be written', async t => {
  await using server = await startNats()
  const namespace = freshNamespace()
  const stream = queueStream(namespace, 'inbox')
  await using node = await startNode({
    namespace,
    store: jetstream({ servers: server.url }),
    log: takingLog({}),
  })
  const send = (commandId: string, data: unknown) =>
    node.send({ type: 'account', id: 'a' }, 'note', data, { commandId })
  await breakStream(server, stream)
  const first = await untilItFails(i => send(`c-${i}`, big))
  names(t, first, 'outcome-unknown', stream)
  t.match(first.details.commandId, /^c-\d+$/)
  t.match(first.message, `commandId "${String(first.details.commandId)}"`)
  names(t, await errorOf(send('small', 1)), 'storage-failed', stream)
  await node.store.append(actorOf('a'), deposits(1), { expected: 0 })
})

await t.test('a user who may not ask is told what is known', async t => {
  const login = { user: 'node', password: 'p' }
  const publish = { allow: ['>'], deny: ['$JS.API.STREAM.MSG.DELETE.>'] }
  await using server = await startNats({
    users: [{ ...login, permissions: { publish, subscribe: '>' } }],
  })
  const namespace = freshNamespace()
  await using node = await openNode(server.url, { namespace, ...login })
  const append = (i: number) =>
    node.store.append(actorOf(i), big, { expected: 0, timeout: 1_500 })
  await append(-1)
  await breakStream(server, logStream(namespace))
  const error = await untilItFails(append)
  t.equal(error.code, 'outcome-unknown')
  t.match(error.message, /disk may be full.*restart the server/)
  t.match(node.connection.writeFailures.list(), [{ stream: logStream(namespace) }])
})

await t.test('what a server answers when it stores nothing', async t => {
  const answer = (description: string) =>
    errorOutcome({ code: 503, err_code: 10077, description }, 'S')
  for (const limit of ['maximum bytes exceeded', 'maximum messages exceeded']) {
    const outcome = answer(limit)
    t.equal(outcome.kind, 'refused', 'it was refused before it was written')
    if (outcome.kind === 'refused') {
      const error = apiError(outcome.error, 'appending')
      t.equal(error.code, 'storage-failed')
      t.match(error.message, 'nats stream edit')
    }
  }
  for (const reason of ['write 1.blk: no space left on device', 'input/output error'])
    t.match(answer(reason), { kind: 'write-failed', stream: 'S', reason, wasSent: true })
})
