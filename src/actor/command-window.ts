// The window: a filter over the ids of an actor's last commands, so that a new command is
// known to be new without a read.
//
// Owns a ring of hashes, one for each of the last `size` commits, 4 bytes each.
// W1. It covers the versions in (from, upTo]: whatever a repeat may still find there has its
//     hash in the ring. A commit goes out of the ring only when `size` later ones are in.
// W2. It says "certainly not" or "perhaps". A hash that two ids share, or one of a commit that
//     is gone, costs a read of the log; it is never an answer.
// W3. At its end it grows only by the commit that follows `upTo` directly; whoever skipped
//     some must read them first.
// W4. It knows, too, from which version on no commit has gone out of the ring.
// W5. It knows the versions that the actor had at some positions: enough to say behind which
//     version the commits behind a position are, never below the true one.

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { Position, Version } from '../model/version.js'

/** As in an actor type's options, where it is explained. */
export interface CommandWindowOptions {
  readonly commands?: number
  readonly ms?: number
}

const commandsMax = 10_000

/** The window with its defaults; throws `invalid-definition`. */
export function commandWindow(
  options: CommandWindowOptions = {},
): Required<CommandWindowOptions> {
  const { commands = 1024, ms = 10 * 60_000 } = options
  const isRight = (value: unknown, max: number) =>
    Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max
  if (isRight(commands, commandsMax) && isRight(ms, Number.MAX_SAFE_INTEGER))
    return { commands, ms }
  throw new CairnError(
    'invalid-definition',
    `commandWindow is { commands: ${show(commands)}, ms: ${show(ms)} }: use 1 to ${commandsMax} ` +
      'commands, and a whole number of milliseconds from 1.',
    { details: { commands, ms } },
  )
}

/** What the window keeps of a commit. */
export interface PastCommit {
  readonly first: Version
  readonly last: Version
  readonly position: Position
  /** Absent for a commit that no command led to. */
  readonly commandId?: string | undefined
}

/** W5: the actor's version was this one at the position. */
interface Mark {
  readonly version: Version
  readonly position: Position
}

/** Memory of a mark, about. */
const markBytes = 40

/** Marks that are kept, spread over the commits in the ring. */
const marksMax = 8

export class CommandWindow {
  readonly #ring: Uint32Array
  /** Oldest first. */
  readonly #marks: Mark[] = []
  #count = 0
  #from: Version
  /** Where it began to keep commits. */
  #begin: Version
  #upTo: Version

  /** A window that covers nothing; it continues behind a version. */
  constructor(size: number, version: Version) {
    this.#ring = new Uint32Array(size)
    this.#from = version
    this.#begin = version
    this.#upTo = version
  }

  get bytes(): number {
    return this.#ring.byteLength + this.#marks.length * markBytes
  }

  /** The last version covered. */
  get upTo(): Version {
    return this.#upTo
  }

  /** Whether it covers the versions behind `since`, at least up to `version`. */
  covers(since: Version, version: Version): boolean {
    return this.#from <= since && version <= this.#upTo
  }

  /** Whether every commit behind `since`, at least up to `version`, is in the ring (W4). */
  holds(since: Version, version: Version): boolean {
    const size = this.#ring.length
    // A commit takes at least one version: what went out is not above this one.
    const gone = this.#count > size ? this.#upTo - size : 0
    return Math.max(this.#begin, gone) <= since && version <= this.#upTo
  }

  /** W5. A version that every commit behind the position is above; `undefined` when none is known. */
  versionAt(position: Position): Version | undefined {
    return this.#marks.findLast(mark => mark.position <= position)?.version
  }

  /** Covers nothing any more, and continues behind a version, which the actor had at `position`. */
  restart(version: Version, position?: Position): void {
    this.#ring.fill(0)
    this.#marks.length = 0
    if (position !== undefined) this.#marks.push({ version, position })
    this.#count = 0
    this.#from = version
    this.#begin = version
    this.#upTo = version
  }

  /** Takes in a commit when it is the next one (W3); returns whether it was. */
  follow(passed: PastCommit): boolean {
    if (passed.first !== this.#upTo + 1) return false
    this.add(passed)
    return true
  }

  /** Takes in a commit that is known to be the next one there is. */
  add({ last, position, commandId }: PastCommit): void {
    this.#ring[this.#count++ % this.#ring.length] =
      commandId === undefined ? none : hashOf(commandId)
    this.#upTo = last
    if (this.#count % Math.ceil(this.#ring.length / marksMax) === 0) {
      this.#marks.push({ version: last, position })
      if (this.#marks.length > marksMax) this.#marks.shift()
    }
    if (this.#count >= this.#ring.length) this.reachesBack()
  }

  /** Nothing before what is covered can be found by a repeat any more. */
  reachesBack(): void {
    this.#from = 0
  }

  /** False when the command is certainly not among those covered (W2). */
  mayHold(commandId: string): boolean {
    return this.#ring.includes(hashOf(commandId))
  }
}

const none = 0

/** FNV-1a over UTF-16 code units; never `none`. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0 || 1
}
