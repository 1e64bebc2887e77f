// Commands a second to actors that another process owns, against core NATS requests that
// another process answers: what the way there and back costs alone. A command is stored too.
import { startNode } from 'cairn-es'
import { fileURLToPath } from 'node:url'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { checkVersions } from '../check-log.mjs'
import { counters } from '../counters.mjs'
import { drive, driveRaw } from '../drive.mjs'
import { interleave } from '../interleave.mjs'
import { startNodeProcess, startProgram } from '../node-process.mjs'
import { backendAt, freshNamespace, removeNamespace } from '../place.mjs'
import { RawClient } from '../raw.mjs'
import { until } from '../wait.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const actorCount = 1_000
/** About what a command and its answer take. */
const requestBytes = 160
const answerBytes = 60

/**
 * @param {number} callers
 * @returns {import('../benchmark.mjs').Benchmark}
 */
export const remoteAsk = callers => ({
  name: `remote-ask-${callers}`,
  unit: 'commands/s',
  about: `commands to 1,000 actors of another process, ${callers} in flight; baseline: core NATS request-reply`,
  run: context => run(context, callers),
})

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
    return await interleave(context, {
      baseline: () => byHand(context, { client, namespace, callers }),
      subject: () => throughCaller(context, { caller, asked, callers }),
    })
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
    lanes: callers,
    ms,
    step: async (lane, turn) => {
      const i = (lane + callers * turn) % actorCount
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
const byHand = async ({ ms }, { client, namespace, callers }) => {
  const body = new Uint8Array(requestBytes)
  const driven = await driveRaw({
    lanes: callers,
    ms,
    step: (_lane, _turn, done) =>
      client.request(echoSubject(namespace), body, undefined, ({ data }) =>
        done(data.length === answerBytes ? undefined : new Error('it is no echo')),
      ),
  })
  return { ...driven, verified: driven.done }
}
