// Events a second that a machine's history is folded with, against XState's own pure `transition()`.
import { fromMachine } from 'cairn-es'
import { assign, initialTransition, setup, transition } from 'xstate'
import { verify } from '../benchmark.mjs'
import { asOnePiece } from '../drive.mjs'
import { interleave } from '../interleave.mjs'

const light = setup({
  types: {
    context: /** @type {{ rounds: number }} */ ({}),
    events: /** @type {{ type: 'next' }} */ ({}),
  },
}).createMachine({
  id: 'light',
  context: { rounds: 0 },
  initial: 'green',
  states: {
    green: { on: { next: 'yellow' } },
    yellow: { on: { next: 'red' } },
    red: {
      on: {
        next: {
          target: 'green',
          actions: assign({ rounds: ({ context }) => context.rounds + 1 }),
        },
      },
    },
  },
})

const { behavior } = fromMachine(light)
const actor = { type: 'light', id: 'one' }
/** Between two looks at the clock; as many as bring the light back to where it was. */
const stride = 300

/** @type {import('../benchmark.mjs').Benchmark} */
export const machineFold = {
  name: 'machine-fold',
  extra: true,
  unit: 'events/s',
  about: "events folded into a machine's state; baseline: transition() of XState",
  run: context =>
    interleave(context, {
      baseline: () => pure(context),
      subject: () => folded(context),
    }),
}

/** @param {import('../benchmark.mjs').Context} context */
const folded = ({ ms }) => {
  let state = behavior.initialState(actor.id)
  const event = /** @type {const} */ ({
    kind: 'event',
    id: 'light/one@1',
    actor,
    type: 'next',
    data: undefined,
    metadata: {},
    version: 1,
    position: 1,
    commitId: 'bench',
    at: 1,
    nodeId: 'bench',
  })
  return inStrides(ms, () => {
    state = behavior.evolve(state, event)
    return state.context.rounds
  })
}

/** @param {import('../benchmark.mjs').Context} context */
const pure = ({ ms }) => {
  let [snapshot] = initialTransition(light)
  return inStrides(ms, () => {
    snapshot = transition(light, snapshot, { type: 'next' })[0]
    return snapshot.context.rounds
  })
}

/**
 * @param {number} ms
 * @param {() => number} step takes one, and tells the rounds so far
 */
const inStrides = async (ms, step) => {
  const start = performance.now()
  let [done, rounds] = [0, 0]
  while (performance.now() - start < ms) {
    for (let i = 0; i < stride; i++) rounds = step()
    done += stride
  }
  const elapsed = performance.now() - start
  verify(rounds === done / 3, () => `${done} steps came to ${rounds} rounds`)
  return asOnePiece(done, elapsed)
}
