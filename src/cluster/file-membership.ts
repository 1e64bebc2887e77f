// Membership between processes of one machine that share an embedded directory: a card a
// node, `<dir>/<namespace>.members/<node id>.json`, looked through every so often.
//
// A process on the same machine is known to be dead as soon as its process id is nobody's.
// An id that the system has given to another process since keeps a dead node's card alive
// until a request finds nobody at its socket: `suspect` removes the card then.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import {
  writeAnnouncement,
  readAnnouncement,
  listAnnouncements,
} from './announcement-files.js'
import type { Member, Membership, MembershipChange } from './membership.js'
import { readMember } from './read-member.js'
import { Roster } from './roster.js'

interface MemberFile {
  readonly pid: number
  readonly member: Member
}

/** Milliseconds between looks at the cards. */
const scanIntervalMs = 200

export class FileMembership implements Membership {
  readonly #folder: string
  readonly #self: Member | undefined
  readonly #roster = new Roster()
  #timer: NodeJS.Timeout | undefined
  #scanning: Promise<void> | undefined

  private constructor(folder: string, self: Member | undefined) {
    this.#folder = folder
    this.#self = self
  }

  static async join(
    dir: string,
    namespace: string,
    self: Member | undefined,
  ): Promise<FileMembership> {
    const membership = new FileMembership(join(dir, `${namespace}.members`), self)
    if (self !== undefined)
      await writeAnnouncement(membership.#pathOf(self.id), {
        pid: process.pid,
        member: self,
      })
    await membership.#scan()
    membership.#timer = setInterval(() => {
      membership.#scanning ??= membership
        .#scan()
        .finally(() => (membership.#scanning = undefined))
    }, scanIntervalMs)
    membership.#timer.unref()
    return membership
  }

  members(): readonly Member[] {
    return this.#roster.members()
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    return this.#roster.onChange(listener)
  }

  suspect(id: string): void {
    if (id === this.#self?.id) return
    this.#roster.dead(id)
    void rm(this.#pathOf(id), { force: true })
  }

  async leave(): Promise<void> {
    if (this.#self === undefined) return
    this.#roster.left(this.#self)
    await rm(this.#pathOf(this.#self.id), { force: true })
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#scanning
    await this.leave()
  }

  async #scan(): Promise<void> {
    const found = new Set<string>()
    for (const name of await listAnnouncements(this.#folder)) {
      const card = await readAnnouncement<MemberFile>(
        join(this.#folder, name),
        isMemberFile,
      )
      if (card === undefined) continue
      const { pid } = card
      const member = readMember(card.member)
      if (!isRunning(pid)) {
        if (member !== undefined) this.#roster.dead(member.id)
        await rm(join(this.#folder, name), { force: true })
        continue
      }
      if (member === undefined) continue
      found.add(member.id)
      this.#roster.alive(member, Date.now())
    }
    for (const member of this.members())
      if (!found.has(member.id)) this.#roster.left(member)
  }

  #pathOf(id: string): string {
    return join(this.#folder, `${id}.json`)
  }
}

function isMemberFile({ pid, member }: Partial<MemberFile>): boolean {
  return typeof pid === 'number' && typeof member === 'object'
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
