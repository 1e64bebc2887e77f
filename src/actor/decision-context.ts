// What `decide` gets beside the state and the command.
//
// DECISION-1. Its random values are drawn from the actor's address, the command's id and the number of the draw. A
//     command that is decided again, after a conflict, a crash or by another node, draws the same.

import { createHash } from 'node:crypto'

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { DecideContext } from '../model/behavior.js'
import type { TimerFiring } from '../model/timer.js'
import type { Version } from '../model/version.js'

/** The namespace of the UUIDs (version 5) that decisions draw. */
const uuidNamespace = Buffer.from('6f1d2a5c3b7e4c0f9a8d5e2b1c4f7a90', 'hex')

export class DecisionContext implements DecideContext {
  readonly actor: ActorAddress
  readonly version: Version
  readonly commandId: string
  readonly now: number
  declare readonly firing?: TimerFiring
  #draws = 0

  constructor(actor: ActorAddress, version: Version, commandId: string, now: number) {
    this.actor = actor
    this.version = version
    this.commandId = commandId
    this.now = now
  }

  // Getters: handlers take them out of the context, and most of them use none.

  get uuid(): () => string {
    return () => {
      const bytes = this.#draw().subarray(0, 16)
      bytes[6] = (bytes[6]! & 0x0f) | 0x50
      bytes[8] = (bytes[8]! & 0x3f) | 0x80
      const hex = bytes.toString('hex')
      const parts = [
        hex.slice(0, 8),
        hex.slice(8, 12),
        hex.slice(12, 16),
        hex.slice(16, 20),
      ]
      return [...parts, hex.slice(20)].join('-')
    }
  }

  get random(): () => number {
    return () => {
      const bytes = this.#draw()
      // 53 bits, as Math.random has.
      return (
        ((bytes.readUInt32BE(0) >>> 5) * 2 ** 26 + (bytes.readUInt32BE(4) >>> 6)) /
        2 ** 53
      )
    }
  }

  #draw(): Buffer {
    const name = `${formatAddress(this.actor)}\n${this.commandId}\n${this.#draws++}`
    return createHash('sha1').update(uuidNamespace).update(name).digest()
  }
}

/** Values that decisions draw in place of those of the command's id, in this order; when they are used up, those follow. */
export interface GivenDraws {
  readonly uuids?: readonly string[] | undefined
  readonly randoms?: readonly number[] | undefined
}

/** Lets a context draw given values first. */
export function withDraws(
  context: DecideContext,
  { uuids = [], randoms = [] }: GivenDraws,
): void {
  const { uuid, random } = context
  const nextUuid = uuids.values()
  const nextRandom = randoms.values()
  Object.defineProperties(context, {
    uuid: { value: () => nextUuid.next().value ?? uuid() },
    random: { value: () => nextRandom.next().value ?? random() },
  })
}
