// Appending to several actors: the part that is the same for every store. Checks the caller's
// input before anything is written, and builds the records of guards.

import { type ActorAddress, checkAddress, formatAddress } from '../../model/address.js'
import type { NewCommit } from '../../model/commit.js'
import { CairnError } from '../../model/errors.js'
import { newId } from '../../model/id.js'
import { show } from '../../model/show.js'
import {
  checkCount,
  type ExpectedVersion,
  meetsExpectation,
} from '../../model/version.js'
import type { Version } from '../../model/version.js'
import { conflict, checkAppend, nextCommit } from './append.js'
import type {
  AppendAllOptions,
  AppendPart,
  Guard,
  VersionConflict,
} from './event-store.js'

/** Maximum number of actors written or guarded by one transaction. */
export const transactionActorsMax = 100
/** Maximum bytes of one transaction: headers and bodies. */
export const transactionBytesMax = 8 * 1024 * 1024

/**
 * The type of the actors whose histories record guards: NATS compares a position only together
 * with a message, and every message of a log is a commit of an actor.
 */
export const guardType = 'cairn-guard'

/** A part with checked input. */
export interface CheckedPart extends AppendPart {
  readonly expected: ExpectedVersion
}

export interface CheckedTransaction {
  readonly id: string
  readonly parts: readonly CheckedPart[]
  readonly guards: readonly Guard[]
  /** Options of every commit of the transaction. */
  readonly options: AppendAllOptions & { readonly at: number }
}

/** Checks the input that does not depend on the store. */
export function checkTransaction(
  parts: readonly AppendPart[],
  options: AppendAllOptions,
): CheckedTransaction {
  const { guards = [], transactionId: id = newId(), at = Date.now() } = options
  if (!Array.isArray(parts) || parts.length === 0)
    throw new CairnError(
      'invalid-option',
      `appendAll was given ${show(parts)}: pass at least one part.`,
    )
  const checked = parts.map((part): CheckedPart => {
    const { actor, events: _events, ...own } = part
    const expected = checkAppend(actor, { ...options, ...own })
    const { type, id: actorId } = actor
    return { ...part, actor: { type, id: actorId }, expected }
  })
  for (const { actor, version } of guards) {
    checkAddress(actor)
    checkCount('version of a guard', version)
  }
  const actors = [...parts, ...guards].map(({ actor }) => actor)
  if (actors.length > transactionActorsMax) throw tooMany(actors.length)
  checkDistinct(actors)
  return { id, parts: checked, guards, options: { ...options, at, transactionId: id } }
}

function checkDistinct(actors: readonly ActorAddress[]): void {
  const names = new Set<string>()
  for (const actor of actors) {
    const name = formatAddress(actor)
    if (names.has(name))
      throw new CairnError(
        'invalid-option',
        `${name} appears twice in one transaction: put all of its events into one part, and ` +
          'guard only actors that no part writes to.',
        { details: { actor: name } },
      )
    names.add(name)
  }
}

/** The commit of a part that follows `version`. */
export function partCommit(
  nodeId: string,
  part: CheckedPart,
  version: Version,
  { options, id }: CheckedTransaction,
): NewCommit {
  const { actor, events, ...own } = part
  return nextCommit(nodeId, actor, version, events, {
    ...options,
    ...own,
    transactionId: id,
  })
}

/**
 * The commits of the guards, one per guard, in the history of an actor that no other writer
 * knows, because its id is new.
 */
export function guardCommits(
  nodeId: string,
  { guards, id, options }: CheckedTransaction,
): NewCommit[] {
  const actor = { type: guardType, id: newId() }
  return guards.map((guard, i) => {
    const data = { actor: formatAddress(guard.actor), version: guard.version }
    const events = [{ type: 'guarded', data }]
    return nextCommit(nodeId, actor, i, events, { ...options, transactionId: id })
  })
}

/** Throws `commit-too-large` when the records exceed the limit together. */
export function checkTransactionBytes(sizes: readonly number[]): void {
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  if (bytes <= transactionBytesMax) return
  throw new CairnError(
    'commit-too-large',
    `A transaction over ${sizes.length} records takes ${bytes} bytes, and the limit is ` +
      `${transactionBytesMax}: commit fewer actors together, or store large data elsewhere.`,
    { details: { limit: transactionBytesMax, actual: bytes } },
  )
}

/** The conflicts of all parts and guards whose expectation does not hold. */
export function conflictsOf(
  { parts, guards }: CheckedTransaction,
  versionOf: (actor: ActorAddress) => Version,
): VersionConflict[] {
  const expectations = [
    ...parts,
    ...guards.map(({ actor, version }) => ({ actor, expected: version })),
  ]
  return expectations.flatMap(({ actor, expected }) => {
    const actual = versionOf(actor)
    return meetsExpectation(expected, actual) ? [] : [conflict(actor, expected, actual)]
  })
}

/** Names actors in an error: the first five, and how many more. */
export function formatActors(parts: readonly { readonly actor: ActorAddress }[]): string {
  const names = parts.map(({ actor }) => formatAddress(actor))
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

function tooMany(actual: number): CairnError {
  return new CairnError(
    'commit-too-large',
    `A transaction over ${actual} actors exceeds the limit of ${transactionActorsMax}, which ` +
      'includes guarded actors: commit fewer actors together.',
    { details: { limit: transactionActorsMax, actual } },
  )
}
