// Commands to actors that another process owns, against what they must take: a core NATS request that
// another process answers, and the commit's publish to a stream.
import { startNode } from 'cairn-es'
import { fileURLToPath } from 'node:url'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { checkVersions } from '../check-log.mjs'
import { counterCommit, counters } from '../counters.mjs'
import { drive, driveRaw } from '../drive.mjs'
import { interleave, p50, rate } from '../interleave.mjs'
import { startNodeProcess, startProgram } from '../node-process.mjs'
import {
  backendAt,
  freshNamespace,
  inFreshNamespace,
  partitions,
  removeNamespace,
} from '../place.mjs'
import { RawAppender, RawClient } from '../raw.mjs'
import { until } from '../wait.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const actorCount = 1_000
/** About what a command and its answer take. */
const requestBytes = 160
const answerBytes = 60

/** @type {import('../benchmark.mjs').Benchmark} */
export const askRemote = {
  name: 'ask-remote',
  unit: 'ms',
  goal: { atMost: 1.3 },
  about:
    'one command after the other to 1,000 actors of another process, p50; baseline: core NATS request-reply, and then a publish to a stream, p50',
  run: context => run(context, 1),
}

/** @type {import('../benchmark.mjs').Benchmark} */
export const askRemote64 = {
  name: 'ask-remote-64',
  extra: true,
  unit: 'commands/s',
  about:
    'commands to 1,000 actors of another process, 64 in flight; baseline: as many core NATS requests, each with a publish to a stream behind it',
  run: context => run(context, 64),
}

/**
 * @param {Context} context
 * @param {number} callers
 */
const run = async (context, callers) => {
  const { servers, signal } = context
  const namespace = freshNamespace()
  const store = backendAt(context)
  const caller = await startNode({ namespace, store, id: 'caller' })
  const echo = startProgram([
    fileURLToPath(new URL('../echo.mjs', import.meta.url)),
    servers,
    echoSubject(namespace),
    String(answerBytes),
  ])
  let isEchoReady = false
  echo.child.stdout.once('data', () => {
    isEchoReady = true
  })
  const client = await RawClient.open(servers)
  let owner
  try {
    owner = await startNodeProcess({ id: 'owner', namespace, servers, signal })
    await until('the caller sees the owner', () => caller.members().length === 1, context)
    await until('the echo is ready', () => isEchoReady, context)
    // Awake beforehand: what waking takes is another benchmark's.
    await Promise.all(
      counters(actorCount).map(({ id }) =>
        caller.spawn(counter, id).ask('add', { by: 1 }),
      ),
    )
    const asked = counters(actorCount).map(() => 1)
    const halves = {
      baseline: () => byHand(context, { client, namespace, callers }),
      subject: () => throughCaller(context, { caller, asked, callers }),
    }
    return await interleave(context, halves, callers === 1 ? p50 : rate)
  } finally {
    await client.close()
    echo.child.kill('SIGKILL')
    await echo.ended
    await owner?.kill()
    await caller.close()
    await removeNamespace(context, namespace)
  }
}

/** @param {string} namespace */
const echoSubject = namespace => `bench.${namespace}.echo`

/**
 * @param {Context} context
 * @param {{ caller: import('cairn-es').Node, asked: number[], callers: number }} state
 *   `asked`: commands to each actor so far, over all runs
 */
const throughCaller = async ({ ms }, { caller, asked, callers }) => {
  const refs = counters(actorCount).map(({ id }) => caller.spawn(counter, id))
  const { remote } = caller.stats().router
  const driven = await drive({
    workers: callers,
    ms,
    step: async (worker, turn) => {
      const i = (worker + callers * turn) % actorCount
      const outcome = await /** @type {(typeof refs)[number]} */ (refs[i]).ask('add', {
        by: 1,
      })
      verify(
        outcome.reply.sum === outcome.version,
        () => `version ${outcome.version} was answered with ${outcome.reply.sum}`,
      )
      asked[i] = (asked[i] ?? 0) + 1
    },
  })
  const sent = caller.stats().router.remote - remote
  verify(
    sent === driven.done,
    () => `${sent} of ${driven.done} commands left the process`,
  )
  const versions = counters(actorCount).map(({ id }, i) => [id, asked[i] ?? 0])
  await checkVersions(caller.store, new Map(/** @type {[string, number][]} */ (versions)))
  return { ...driven, verified: driven.done }
}

/**
 * @param {Context} context
 * @param {{ client: RawClient, namespace: string, callers: number }} state
 */
const byHand = (context, { client, namespace, callers }) =>
  inFreshNamespace(context, async ({ store, namespace: own }) => {
    const body = new Uint8Array(requestBytes)
    const appender = new RawAppender({
      client,
      namespace: own,
      partitions,
      commit: counterCommit,
      actors: counters(actorCount),
    })
    const driven = await driveRaw({
      workers: callers,
      ms: context.ms,
      step: (worker, turn, done) =>
        client.request(echoSubject(namespace), body, undefined, ({ data }) => {
          if (data.length !== answerBytes) return done(new Error('it is no echo'))
          appender.append(
            worker + callers * (turn % Math.floor(actorCount / callers)),
            done,
          )
        }),
    })
    return { ...driven, verified: await checkVersions(store, appender.versions) }
  })
