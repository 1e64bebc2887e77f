// Verifying: whether a stored history still folds by the behavior that is there now, and comes
// to the states that its commits carry.
//
// Nothing is taken over from carried states, and nothing is written.

import { isDeepStrictEqual } from 'node:util'

import { decode, encode } from '../codec/msgpack.js'
import type { ActorAddress } from '../model/address.js'
import type { Behavior } from '../model/behavior.js'
import type { LogRecord } from '../model/commit.js'
import { type CairnError, isCairnError } from '../model/errors.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'
import {
  initialFoldedState,
  type FoldContext,
  foldForward,
  type FoldedState,
} from './fold.js'
import type { Skips } from './skips.js'

/** What became of replaying one history. */
export type VerifyResult =
  | { readonly kind: 'folds'; readonly version: Version }
  /** It would be parked: the error says why. */
  | {
      readonly kind: 'fails'
      readonly version: Version
      readonly error: CairnError
    }
  /** The first commit whose carried state, folded by this very behavior version, is another one. */
  | { readonly kind: 'differs'; readonly version: Version }

export interface VerifyOptions {
  readonly store: Pick<EventStore, 'commits'>
  readonly actor: ActorAddress
  readonly behavior: Behavior
  readonly skips?: Skips | undefined
  readonly signal: AbortSignal
  /** Told where the actor stands, when its history folds. */
  readonly folded?: (at: VerifiedState) => void
}

export interface VerifiedState extends FoldedState {
  /** Position of the last commit that says anything beside its events; 0 when none does. */
  readonly commitPosition: Position
}

/** Replays a history from its first event. Throws what reading throws. */
export async function verifyHistory(options: VerifyOptions): Promise<VerifyResult> {
  const { store, actor, behavior, skips, signal, folded } = options
  const folding: FoldContext = { actor, behavior: replaying(behavior), skips }
  let at: FoldedState | undefined
  let version: Version = 0
  let saidAt: Position = 0
  try {
    at = initialFoldedState(folding)
    for await (const record of store.commits(actor, { from: 1, signal })) {
      at = await foldForward(folding, at, alone(record))
      version = at.version
      if (record.kind === 'commit' && record.outbox !== undefined)
        saidAt = record.position
      if (!agrees(behavior, skips, record, at)) return { kind: 'differs', version }
    }
    folded?.({ ...at, commitPosition: saidAt })
    return { kind: 'folds', version }
  } catch (error) {
    if (!isCairnError(error, 'actor-parked')) throw error
    const { version: stuck } = error.details
    return {
      kind: 'fails',
      version: typeof stuck === 'number' ? stuck : version + 1,
      error,
    }
  }
}

/** The same behavior, for which no carried state counts. */
function replaying(behavior: Behavior): Behavior {
  return {
    version: Number.NaN,
    commandTypes: behavior.commandTypes,
    initialState: id => behavior.initialState(id),
    decide: (state, command, context) => behavior.decide(state, command, context),
    evolve: (state, event) => behavior.evolve(state, event),
  }
}

function agrees(
  { version }: Behavior,
  skips: Skips | undefined,
  record: LogRecord,
  at: FoldedState,
): boolean {
  if (record.kind !== 'commit' || record.state?.behavior !== version) return true
  const { value, skipped } = record.state
  if (skipped !== skips?.upTo(at.version)) return true
  // As it would come back from the store.
  return isDeepStrictEqual(decode(encode(at.state)), value)
}

async function* alone(record: LogRecord): AsyncGenerator<LogRecord> {
  yield record
}
