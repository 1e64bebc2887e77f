// Checks, for a few of the actors that wake, that the states in their commits are the folds of their events.
//
// Owns the count of wakes of each actor type.
// REFOLD-1. Of each `wakesPerCheck` wakes of a type from a stored state on this node, one is checked: its last `commitsMax` commits are read
//     and folded again. This costs a thousandth of such a read for each wake.
// REFOLD-2. A check changes nothing, and no wake fails because of it. It reports the first difference that it finds.

import { isDeepStrictEqual } from 'node:util'

import { decode, encode } from '../codec/msgpack.js'
import { formatAddress } from '../model/address.js'
import type { StoredCommit } from '../model/commit.js'
import { messageOf } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import { pathOf } from '../model/path.js'
import { programs } from '../model/programs.js'
import { show } from '../model/show.js'
import type { Version } from '../model/version.js'
import {
  type FoldContext,
  foldCommit,
  foldedInlineState,
  type FoldedState,
  initialFoldedState,
} from './fold.js'
import type { History } from './recovery.js'

/** REFOLD-1. */
export const wakesPerCheck = 1_000
const commitsMax = 100

/** A stored state that is not the fold of its events. */
interface Difference {
  readonly version: Version
  /** Where they differ first; empty for the state itself. */
  readonly path: string
}

export class RefoldChecks {
  readonly #log: WriteLog
  readonly #wakes = new Map<string, number>()

  constructor(log: WriteLog) {
    this.#log = log
  }

  /** Counts a wake from a stored state, and checks the actor if it is its turn (REFOLD-1). Never rejects (REFOLD-2). */
  async onWake(
    store: Pick<History, 'commits'>,
    context: FoldContext,
    { version, inlineStateVersion }: FoldedState,
    signal: AbortSignal,
  ): Promise<void> {
    if (version === 0 || version !== inlineStateVersion) return
    const { type } = context.actor
    const wakes = (this.#wakes.get(type) ?? 0) + 1
    this.#wakes.set(type, wakes)
    if (wakes % wakesPerCheck !== 0) return
    const actor = formatAddress(context.actor)
    try {
      const found = await findDifference(store, context, signal)
      if (found === undefined) return
      const { path } = found
      this.#log(
        'error',
        `The stored state of ${actor} at version ${found.version} is not the fold of its events: they differ${path && ` at ${show(path)}`}. ` +
          'evolve is not pure, or was changed without a new version. Correct it and raise the version of the type: its ' +
          `actors are then folded from their events. "${programs.cairn} verify" finds the others.`,
        { actor, ...found },
      )
    } catch (error) {
      if (!signal.aborted)
        this.#log('warn', `The state of ${actor} was not checked: ${messageOf(error)}`, {
          actor,
        })
    }
  }
}

async function findDifference(
  store: Pick<History, 'commits'>,
  context: FoldContext,
  signal: AbortSignal,
): Promise<Difference | undefined> {
  const commits: StoredCommit[] = []
  for await (const record of store.commits(context.actor, { backwards: true, signal })) {
    if (record.kind === 'malformed' || commits.length === commitsMax) break
    commits.push(record)
  }
  const isWhole = commits.at(-1)?.firstVersion === 1
  let folded = isWhole ? initialFoldedState(context) : undefined
  for (const commit of commits.toReversed()) {
    const stored = foldedInlineState(context, commit)
    if (folded === undefined) {
      folded = stored
      continue
    }
    if (commit.firstVersion !== folded.version + 1) return undefined
    folded = foldCommit(context, folded, commit)
    if (stored === undefined) continue
    // Encoded and decoded, as it would come back from the store.
    const state = decode(encode(folded.state))
    if (isDeepStrictEqual(state, stored.state)) continue
    return { version: commit.lastVersion, path: pathOf(stepsTo(state, stored.state)) }
  }
  return undefined
}

/** The way to the first difference between two values that differ. */
function stepsTo(a: unknown, b: unknown): (string | number)[] {
  if (!isContainer(a) || !isContainer(b) || Array.isArray(a) !== Array.isArray(b))
    return []
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (isDeepStrictEqual(a[key], b[key])) continue
    return [Array.isArray(a) ? Number(key) : key, ...stepsTo(a[key], b[key])]
  }
  return []
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}
