// Commands a second through `ref.ask` on the node that owns the actors, against the commits
// that they make, published by hand.
import { startNode } from 'cairn-es'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { checkVersions } from '../check-log.mjs'
import { counterCommit, counters } from '../counters.mjs'
import { drive, driveRaw } from '../drive.mjs'
import { interleave } from '../interleave.mjs'
import {
  backendAt,
  freshNamespace,
  inFreshNamespace,
  partitions,
  removeNamespace,
} from '../place.mjs'
import { RawAppender, RawClient } from '../raw.mjs'

/**
 * @typedef {import('../benchmark.mjs').Context} Context
 *
 * @typedef {object} Shape
 * @property {string} name
 * @property {string} about
 * @property {number} actors
 * @property {number} callers who wait for an answer each
 * @property {import('../benchmark.mjs').Benchmark['goal']} [goal]
 * @property {number} [byHand] actors of the commits by hand; default: as many
 */

/** @type {readonly Shape[]} */
const shapes = [
  {
    name: 'ask-1',
    actors: 1,
    callers: 1,
    about: 'commands to one actor, one at a time',
  },
  {
    name: 'ask-hot',
    actors: 1,
    callers: 256,
    // One actor's commits by hand would wait for each other; what they are held against is the
    // most that the server takes.
    byHand: 1_000,
    goal: { atLeast: 1.2 },
    about: 'commands to one actor, 256 callers',
  },
  {
    name: 'ask-spread',
    goal: { atLeast: 0.5 },
    actors: 1_000,
    callers: 256,
    about: 'commands to 1,000 actors, 256 callers',
  },
]

/** @type {readonly import('../benchmark.mjs').Benchmark[]} */
export const asks = shapes.map(shape => ({
  name: shape.name,
  unit: 'commands/s',
  ...(shape.goal && { goal: shape.goal }),
  about: `${shape.about}; baseline: such commits by hand to ${shape.byHand ?? 'as many'} actors, one in flight for each`,
  run: context =>
    interleave(context, {
      baseline: () => byHand(context, shape),
      subject: () => throughActors(context, shape),
    }),
}))

/**
 * @param {Context} context
 * @param {Shape} shape
 */
const throughActors = async (context, { actors, callers }) => {
  const namespace = freshNamespace()
  const store = backendAt(context)
  const node = await startNode({ namespace, store, actors: [counter] })
  try {
    const refs = counters(actors).map(({ id }) => node.spawn(counter, id))
    // Awake beforehand: what waking takes is another benchmark's.
    await Promise.all(refs.map(ref => ref.ask('add', { by: 1 })))
    const asked = counters(actors).map(() => 1)
    const driven = await drive({
      workers: callers,
      ms: context.ms,
      step: async (worker, turn) => {
        const i = (worker + callers * turn) % actors
        const outcome = await /** @type {(typeof refs)[number]} */ (refs[i]).ask('add', {
          by: 1,
        })
        verify(
          outcome.reply.sum === outcome.version && !outcome.duplicate,
          () => `version ${outcome.version} was answered with ${outcome.reply.sum}`,
        )
        asked[i] = (asked[i] ?? 0) + 1
      },
    })
    const versions = new Map(counters(actors).map(({ id }, i) => [id, asked[i] ?? 0]))
    return { ...driven, verified: await checkVersions(node.store, versions) }
  } finally {
    await node.close()
    await removeNamespace(context, namespace)
  }
}

/**
 * @param {Context} context
 * @param {Shape} shape
 */
const byHand = (context, { byHand: actors, actors: asked, callers }) =>
  pipelined(context, actors ?? asked, callers)

/**
 * @param {Context} context
 * @param {number} actors
 * @param {number} callers
 */
const pipelined = (context, actors, callers) =>
  inFreshNamespace(context, async ({ store, namespace }) => {
    const client = await RawClient.open(context.servers)
    try {
      const appender = new RawAppender({
        client,
        namespace,
        partitions,
        commit: counterCommit,
        actors: counters(actors),
      })
      const workers = Math.min(actors, callers)
      const driven = await driveRaw({
        workers,
        ms: context.ms,
        step: (worker, turn, done) =>
          appender.append(worker + workers * (turn % Math.floor(actors / workers)), done),
      })
      return { ...driven, verified: await checkVersions(store, appender.versions) }
    } finally {
      await client.close()
    }
  })
