// Membership between processes of one machine that share an embedded directory: one member file per
// node, `<dir>/<namespace>.members/<node id>.json`, scanned at intervals.
//
// A process on the same machine is dead if its process id does not exist. One that cannot be reached, as it is frozen
// or as the system has given its id to another process, is given up by `suspect`, which removes its member file for
// all nodes.
//
// FILE-1. A node that lives is a member again within a second, whoever removed its file: it looks for the file, and
//     writes it again (KEPT-1).
// FILE-2. A node remains a member in its own view until it leaves.
// FILE-3. Whether a node has left or is dead is seen by each node from the file: who leaves removes it first, and that of a
//     dead process stays for `keptMs`, so that all nodes see it.

import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { isRunning } from '../local/processes.js'
import { inBackground } from '../model/background.js'
import {
  listAnnouncements,
  readAnnouncement,
  removeAnnouncement,
} from './announcement-files.js'
import { KeptAnnouncement } from './kept-announcement.js'
import type { Member, Membership, MembershipChange } from './membership.js'
import { readMember } from './read-member.js'
import { Roster } from './roster.js'

interface MemberFile {
  readonly pid: number
  readonly member: Member
}

/** Milliseconds between scans of the member files. */
const scanIntervalMs = 200
/** Milliseconds that the file of a dead process stays (FILE-3). The system may give its process id to another one. */
const keptMs = 2_000

export class FileMembership implements Membership {
  readonly #folder: string
  readonly #self: Member | undefined
  readonly #roster = new Roster()
  /** Process ids of the members. */
  readonly #pids = new Map<string, number>()
  /** The files of dead processes by name, and when the first scan found each of them so. */
  readonly #dead = new Map<
    string,
    { readonly incarnation: number; readonly at: number }
  >()
  #timer: NodeJS.Timeout | undefined
  #scanning: Promise<void> | undefined
  #announcement: KeptAnnouncement | undefined
  #hasLeft = false

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
    if (self !== undefined) {
      const path = membership.#pathOf(self.id)
      membership.#announcement = await KeptAnnouncement.write(path, { member: self })
    }
    await membership.#scan() // MEMBERSHIP-4.
    const scan = () =>
      inBackground(`reading ${membership.#folder}`, () => membership.#scanOnce())
    membership.#timer = setInterval(scan, scanIntervalMs)
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
    const member = this.members().find(other => other.id === id)
    if (member === undefined || id === this.#self?.id) return
    const path = this.#pathOf(id)
    if (!existsSync(path)) return this.#roster.left(member) // FILE-3
    this.#roster.dead(id)
    if (!isRunning(this.#pids.get(id)!)) return // A scan removes the file.
    inBackground(`removing ${path}`, () => rm(path, { force: true }))
  }

  async lookFor(type: string): Promise<boolean> {
    // A scan in progress may have passed the file of a node that has just joined.
    await this.#scanning
    await this.#scanOnce()
    return this.members().some(({ types }) => types.includes(type))
  }

  async leave(): Promise<void> {
    if (this.#self === undefined) return
    this.#hasLeft = true
    this.#roster.left(this.#self)
    await this.#announcement?.stop()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#scanning
    await this.leave()
  }

  /** Scans, or joins the scan that is in progress. */
  #scanOnce(): Promise<void> {
    this.#scanning ??= this.#scan().finally(() => (this.#scanning = undefined))
    return this.#scanning
  }

  async #scan(): Promise<void> {
    const found = new Set<string>()
    const dead = new Set<string>()
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
        if (this.#isOver(name, member))
          await removeAnnouncement(join(this.#folder, name), file)
        dead.add(name)
        continue
      }
      if (member === undefined || (this.#hasLeft && member.id === this.#self?.id))
        continue
      found.add(member.id)
      this.#pids.set(member.id, pid)
      this.#roster.alive(member, performance.now())
    }
    for (const name of this.#dead.keys()) if (!dead.has(name)) this.#dead.delete(name)
    if (this.#self !== undefined && !this.#hasLeft) {
      found.add(this.#self.id) // FILE-2
      this.#roster.alive(this.#self, performance.now())
    }
    for (const member of this.members())
      if (!found.has(member.id)) this.#roster.left(member)
    for (const id of this.#pids.keys()) if (!found.has(id)) this.#pids.delete(id)
  }

  /** Whether the file of a dead process has stayed for long enough (FILE-3). */
  #isOver(name: string, member: Member | undefined): boolean {
    if (member === undefined) return true
    const { incarnation } = member
    const now = performance.now()
    const known = this.#dead.get(name)
    if (known?.incarnation === incarnation) return now - known.at >= keptMs
    this.#dead.set(name, { incarnation, at: now })
    return false
  }

  #pathOf(id: string): string {
    return join(this.#folder, `${id}.json`)
  }
}

function isMemberFile({ pid, member }: Partial<MemberFile>): boolean {
  return typeof pid === 'number' && typeof member === 'object'
}
