// Contention: two nodes that both believe to own an actor, and append to it at the same time.
//
// CONTENTION-1. A command that loses to another writer is decided again until its time is over, with random pauses:
//     the other writer may merely be busy. It ends in `contention` then.
// CONTENTION-2. A writer that stores without a pause would win every time. So for a while after a conflict this actor
//     leaves gaps between its commits, in which another owner can read the history and append.
// CONTENTION-3. A command that loses to another writer after another node has become the owner is left to that node:
//     here it would lose again and again, as the owner stores without a pause.

import type { Command } from '../model/behavior.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { pause } from '../model/wait.js'
import type { OpenCall } from './call.js'

/** Milliseconds of a pause between two attempts, at most. */
const backOffMax = 50
/** Milliseconds during which gaps are left, and of a gap, at most. */
const gapsFor = 500
const gapMax = 5

/** The gaps of one actor (CONTENTION-2). */
export class Gaps {
  /** By `performance.now()`; 0 without a recent conflict. */
  #until = 0

  onConflict(): void {
    this.#until = performance.now() + gapsFor
  }

  /** Whether the next commit must wait for a gap. */
  get isDue(): boolean {
    if (this.#until > 0 && performance.now() >= this.#until) this.#until = 0
    return this.#until > 0
  }

  async leave(call: OpenCall): Promise<void> {
    await pause(Math.random() * gapMax, call.signal)
    call.check()
  }
}

/** CONTENTION-1. The pause after so many attempts. */
export async function backOff(call: OpenCall, attempts: number): Promise<void> {
  await pause(Math.random() * Math.min(2 ** (attempts + 1), backOffMax), call.signal)
  call.check()
}

/** CONTENTION-3. The error of a command that is left to another node. */
export function ownerChanged(name: string, owner: string): CairnError {
  return new CairnError(
    'not-owner',
    `${name} now belongs to node ${owner}, which has stored a commit meanwhile. Nothing was stored; ask that node.`,
    { details: { owner } },
  )
}

/** The error of a command whose time was over in contention. */
export function contention(
  name: string,
  { type }: Command,
  conflicts: number,
): CairnError {
  return new CairnError(
    'contention',
    `Command ${show(type)} to ${name} had ${conflicts} version conflicts in a row until its time was over; ` +
      'nothing was stored. Send it again, and route the commands of one actor to one node.',
    { details: { actor: name, command: type, conflicts } },
  )
}
