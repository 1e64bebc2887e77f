// Wakes that have to fold many events: counted, and reported once per actor type.

import { formatAddress } from '../model/address.js'
import type { WriteLog } from '../model/log.js'
import type { AnyActorDefinition } from './definition.js'
import type { FoldContext, FoldedState } from './fold.js'
import { snapshotEveryDefault } from './snapshot-source.js'

/** Events after the stored state; more are a long tail. */
const tailMax = 5_000

export class LongTails {
  readonly #log: WriteLog
  readonly #reported = new Set<string>()
  #count = 0

  constructor(log: WriteLog) {
    this.#log = log
  }

  /** Wakes that folded more than 5,000 events, since the start. */
  get count(): number {
    return this.#count
  }

  onWake(
    { actor }: FoldContext,
    { version, inlineStateVersion }: FoldedState,
    { options }: AnyActorDefinition,
  ): void {
    const events = version - inlineStateVersion
    if (events <= tailMax) return
    this.#count++
    if (this.#reported.has(actor.type)) return
    this.#reported.add(actor.type)
    const { stateEvery = 100, snapshotEvery = snapshotEveryDefault } = options
    const name = formatAddress(actor)
    const from =
      inlineStateVersion === 0 ? 'from the first' : `after version ${inlineStateVersion}`
    this.#log(
      'warn',
      `Waking ${name} folded ${events} events, ${from}: no later state is stored that this version of the definition can ` +
        `use. One is stored with a later commit (stateEvery is ${stateEvery}, snapshotEvery ${snapshotEvery}), unless states of the type ` +
        'cannot be stored or snapshotEvery is 0. Later ones of the type are only counted: actors.longTails.',
      { actor: name, events, inlineStateVersion },
    )
  }
}
