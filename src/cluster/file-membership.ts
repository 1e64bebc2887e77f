// Membership between processes of one machine that share an embedded directory: one member file per
// node, `<dir>/<namespace>.members/<node id>.json`, scanned at intervals.
//
// A process on the same machine is dead if its process id does not exist. If the system has given the id
// to another process, the member file of the dead node remains
// until a request does not reach the node's socket: `suspect` then removes the file.

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

/** Milliseconds between scans of the member files. */
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
      const file = await readAnnouncement<MemberFile>(
        join(this.#folder, name),
        isMemberFile,
      )
      if (file === undefined) continue
      const { pid } = file
      const member = readMember(file.member)
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
