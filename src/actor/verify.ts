// Verification: whether a stored history folds with the current behavior, and folds to the inline states
// of its commits.
//
// Folding starts from the first event and uses no inline state; nothing is written.

import { isDeepStrictEqual } from 'node:util'

import { decode, encode } from '../codec/msgpack.js'
import type { ActorAddress } from '../model/address.js'
import type { Behavior } from '../model/behavior.js'
import type { LogRecord } from '../model/commit.js'
import { type CairnError, isCairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'
import {
  initialFoldedState,
  type FoldContext,
  foldForward,
  type FoldedState,
} from './fold.js'
import type { Skips } from './skips.js'

/** The result of replaying one history. */
export type VerifyResult =
  | { readonly kind: 'folds'; readonly version: Version }
  /** Folding fails, and the actor would be parked; the error says why. */
  | {
      readonly kind: 'fails'
      readonly version: Version
      readonly error: CairnError
    }
  /** The first commit whose inline state, stored by this behavior version, differs from the folded state. */
  | { readonly kind: 'differs'; readonly version: Version }

export interface VerifyOptions {
  readonly store: Pick<EventStore, 'commits'>
  readonly actor: ActorAddress
  readonly behavior: Behavior
  readonly skips?: Skips | undefined
  readonly signal: AbortSignal
  /** Called with the last state, if the history folds. */
  readonly folded?: (at: VerifiedState) => void
}

/** The state at the end of a history that folds. */
export interface VerifiedState extends FoldedState {
  /** Position of the last commit with an outbox; 0 if there is none. */
  readonly commitPosition: Position
}

/** Replays a history from its first event. Throws the errors of reading. */
export async function verifyHistory(options: VerifyOptions): Promise<VerifyResult> {
  const { store, actor, behavior, skips, signal, folded } = options
  const folding: FoldContext = { actor, behavior: withoutInlineStates(behavior), skips }
  let at: FoldedState | undefined
  let version: Version = 0
  let commitPosition: Position = 0
  try {
    at = initialFoldedState(folding)
    for await (const record of store.commits(actor, { from: 1, signal })) {
      at = await foldForward(folding, at, only(record))
      version = at.version
      if (record.kind === 'commit' && record.outbox !== undefined)
        commitPosition = record.position
      if (!agrees(behavior, skips, record, at)) return { kind: 'differs', version }
    }
    folded?.({ ...at, commitPosition })
    return { kind: 'folds', version }
  } catch (error) {
    if (!isCairnError(error, 'actor-parked')) throw error
    const { version: failed } = error.details
    return {
      kind: 'fails',
      version: typeof failed === 'number' ? failed : version + 1,
      error,
    }
  }
}

/** The same behavior with a version that no inline state has, so that none is used. */
function withoutInlineStates(behavior: Behavior): Behavior {
  return {
    version: Number.NaN,
    commandTypes: behavior.commandTypes,
    initialState: id => behavior.initialState(id),
    decide: (state, command, context) => behavior.decide(state, command, context),
    ...(behavior.upcast !== undefined && {
      upcast: (event: RecordedEvent) => behavior.upcast!(event),
    }),
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
  // Encoded and decoded, as it would come back from the store.
  return isDeepStrictEqual(decode(encode(at.state)), value)
}

async function* only(record: LogRecord): AsyncGenerator<LogRecord> {
  yield record
}
