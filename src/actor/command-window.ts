// The command window: a filter over the ids of an actor's last commands. It shows without a read
// that a command is new.
//
// Owns a ring of hashes, one for each of the last commits, 4 bytes each: for the last `size` commits, and for more after
// a search of more (`reserve`).
// WINDOW-1. It covers the versions in (coveredFrom, upTo]: every command there that a duplicate may
//     still match has its hash in the ring. A commit leaves the ring only after `size` later ones.
// WINDOW-2. It answers "certainly not" or "perhaps". A hash that two ids share, or one of an expired
//     commit, costs a read of the log and is never an answer.
// WINDOW-3. It grows only by the commit that follows `upTo` directly. Commits in between must be read
//     first.
// WINDOW-4. It knows the version after which no commit has left the ring.
// WINDOW-5. It knows the actor's version at some positions, so it can give a version that all commits after a
//     position are above. That version is never above the true one.

import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { Position, Version } from '../model/version.js'
import type { CommandEntry } from './command-entry.js'

/** The option `commandWindow` of an actor type; documented at ActorOptions. */
export interface CommandWindowOptions {
  readonly commands?: number
  readonly ms?: number
}

const commandsMax = 10_000
const optionNames: OptionNames<CommandWindowOptions> = { commands: true, ms: true }

/** The window with its defaults; throws `invalid-definition`. */
export function resolveCommandWindow(
  options: CommandWindowOptions = {},
): Required<CommandWindowOptions> {
  checkOptions('commandWindow', options, optionNames, 'invalid-definition')
  const { commands = 1024, ms = 10 * 60_000 } = options
  const isValid = (value: unknown, max: number) =>
    Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max
  if (isValid(commands, commandsMax) && isValid(ms, Number.MAX_SAFE_INTEGER))
    return { commands, ms }
  throw new CairnError(
    'invalid-definition',
    `commandWindow is { commands: ${show(commands)}, ms: ${show(ms)} }: use 1 to ${commandsMax} ` +
      'commands and a whole number of milliseconds from 1.',
    { details: { commands, ms } },
  )
}

/** WINDOW-5: the actor had this version at this position. */
interface VersionMark {
  readonly version: Version
  readonly position: Position
}

/** Estimated memory of a mark. */
const markBytes = 40
/** How many marks are kept, spread over the commits in the ring. */
const marksMax = 16
/** The first length of the ring, unless the window is smaller. */
const lengthAtFirst = 64
/** The longest ring: 512 KiB. */
export const heldCommitsMax = 131_072

export class CommandWindow {
  readonly #size: number
  #ring: Uint32Array
  /** How long the ring may become. */
  #lengthMax: number
  /** Oldest first. */
  #marks: VersionMark[] = []
  /** How many commits were added. */
  #count = 0
  #coveredFrom: Version
  /** The version after which the ring began to keep commits. */
  #heldFrom: Version
  #upTo: Version

  /** A window that covers nothing and continues after `version`. */
  constructor(size: number, version: Version) {
    this.#size = size
    this.#lengthMax = size
    this.#ring = new Uint32Array(Math.min(size, lengthAtFirst))
    this.#coveredFrom = version
    this.#heldFrom = version
    this.#upTo = version
  }

  get bytes(): number {
    return this.#ring.byteLength + this.#marks.length * markBytes
  }

  /** The last version covered. */
  get upTo(): Version {
    return this.#upTo
  }

  /** Whether older commits than those it holds need not be looked for. */
  get coversFromStart(): boolean {
    return this.#coveredFrom === 0
  }

  /** Whether it covers the versions after `since` up to `version`. */
  covers(since: Version, version: Version): boolean {
    return this.#coveredFrom <= since && version <= this.#upTo
  }

  /** Whether every commit after `since` up to `version` is in the ring (WINDOW-4). */
  holdsAll(since: Version, version: Version): boolean {
    const { length } = this.#ring
    // A commit has at least one version, so those that left the ring are not above this one.
    const evicted = this.#count > length ? this.#upTo - length : 0
    return Math.max(this.#heldFrom, evicted) <= since && version <= this.#upTo
  }

  /** WINDOW-5. A version that every commit after the position is above; `undefined` when none is known. */
  versionAt(position: Position): Version | undefined {
    return this.#marks.findLast(mark => mark.position <= position)?.version
  }

  /** Clears the window. It continues after `version`, which the actor had at `position`. */
  restart(version: Version, position?: Position): void {
    this.#ring.fill(noHash)
    this.#marks = position === undefined ? [] : [{ version, position }]
    this.#count = 0
    this.#coveredFrom = version
    this.#heldFrom = version
    this.#upTo = version
  }

  /** Makes room for so many commits, at most {@link heldCommitsMax}. */
  reserve(commits: number): void {
    this.#lengthMax = Math.max(this.#lengthMax, Math.min(commits, heldCommitsMax))
  }

  /** Adds a commit if it is the next one (WINDOW-3). Returns whether it was. */
  addIfNext(commit: CommandEntry): boolean {
    if (commit.first !== this.#upTo + 1) return false
    this.add(commit)
    return true
  }

  /** Adds a commit that is known to be the next one. */
  add({ last, position, commandId }: CommandEntry): void {
    if (this.#count === this.#ring.length) this.#lengthen()
    this.#ring[this.#count++ % this.#ring.length] =
      commandId === undefined ? noHash : hashOf(commandId)
    this.#upTo = last
    if (this.#count % Math.ceil((2 * this.#ring.length) / marksMax) === 0)
      this.#mark({ version: last, position })
    if (this.#count >= this.#size) this.coverFromStart()
  }

  /** Extends the covered versions to the start: no older command can match a duplicate any more. */
  coverFromStart(): void {
    this.#coveredFrom = 0
  }

  /** False when the command is certainly not among those covered (WINDOW-2). */
  mayContain(commandId: string): boolean {
    return this.#ring.includes(hashOf(commandId))
  }

  /** Doubles the ring, as far as it may grow. No commit has left it yet. */
  #lengthen(): void {
    const length = Math.min(this.#lengthMax, 2 * this.#ring.length)
    if (length <= this.#ring.length) return
    const ring = new Uint32Array(length)
    ring.set(this.#ring)
    this.#ring = ring
  }

  #mark(mark: VersionMark): void {
    this.#marks.push(mark)
    if (this.#marks.length <= marksMax) return
    // While no commit has left the ring, the oldest mark counts.
    if (this.#count > this.#ring.length) this.#marks.shift()
    else this.#marks = this.#marks.filter((_, i) => i % 2 === 0)
  }
}

const noHash = 0

/** FNV-1a over UTF-16 code units; never `none`. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0 || 1
}
