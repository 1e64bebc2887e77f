// The processes of a run: starts them, knows who lives, samples what they use, and ends all of them.
//
// A line outlives its process: what a cut held back arrives even though its sender has died.

import { join } from 'node:path'

import { pause } from '../../src/model/wait.js'
import type { Journal } from './history.js'
import type { Line, TrustPlace } from './place.js'
import { FakeClock } from './processes/fake-clock.js'
import {
  ForkedProcess,
  type Role,
  type Settings,
  type TrustProcess,
} from './processes/process.js'
import { resourcesOf } from './processes/resources.js'

export type { Role, Settings, TrustProcess } from './processes/process.js'

export interface ProcessesOptions {
  /** Where the histories and the output of the processes go. */
  readonly folder: string
  readonly seed: number
  readonly namespaces: readonly string[]
  readonly place: TrustPlace
  readonly journal: Journal
  /** The compiled program of a role. Default: beside this file. */
  readonly programs?: Readonly<Record<Role, URL>>
}

/** What `TRUST` tells a process, as JSON. */
export interface Trust extends Settings {
  readonly role: Role
  readonly name: string
  readonly folder: string
  readonly seed: number
  readonly namespaces: readonly string[]
  readonly store: Awaited<ReturnType<TrustPlace['lineFor']>>['store']
}

/** A line whose process has ended. */
interface OldLine {
  readonly line: Line
  readonly since: number
}

const sampleInterval = 5_000
/** Longer than any cut. */
const oldLineAge = 60_000

export class Processes implements AsyncDisposable {
  readonly #options: ProcessesOptions
  readonly #processes = new Set<ForkedProcess>()
  readonly #oldLines = new Set<OldLine>()
  readonly #closing = new AbortController()
  readonly #sampling: Promise<void>
  readonly #counts = new Map<Role, number>()

  constructor(options: ProcessesOptions) {
    this.#options = options
    this.#sampling = this.#sample()
  }

  get namespaces(): readonly string[] {
    return this.#options.namespaces
  }

  /** `h1`, `h2`, … and `c1`, `c2`, …: a name that no process of this run has had. */
  nextName(role: Role): string {
    const count = (this.#counts.get(role) ?? 0) + 1
    this.#counts.set(role, count)
    return `${role[0]}${count}`
  }

  /** Resolves when the process is ready. */
  async start(role: Role, name: string, settings: Settings = {}): Promise<TrustProcess> {
    const { folder, seed, namespaces, place, journal, programs } = this.#options
    const { store, line } = await place.lineFor()
    if (this.#closing.signal.aborted) {
      await line?.[Symbol.asyncDispose]()
      throw new Error(`${name} is not started: the run is over.`)
    }
    const trust: Trust = { role, name, folder, seed, namespaces, store, ...settings }
    const started = new ForkedProcess({
      role,
      name,
      settings,
      program: programs?.[role] ?? new URL(`./${role}.js`, import.meta.url),
      trust,
      output: join(folder, `${name}.out`),
      line,
      clock:
        settings.clock === 'fake'
          ? FakeClock.at(join(folder, `${name}.clock`))
          : undefined,
      journal,
    })
    this.#processes.add(started)
    void started.ended.then(() => {
      this.#processes.delete(started)
      if (line !== undefined) this.#oldLines.add({ line, since: performance.now() })
    })
    await started.ready()
    return started
  }

  /** Those that are ready and have not ended. */
  list(role?: Role): TrustProcess[] {
    return [...this.#processes].filter(
      process => process.isUsable && (role === undefined || process.role === role),
    )
  }

  /** Undoes what can be done to a process without ending it: frozen, cut off, delayed, with a wrong clock. */
  heal(): void {
    for (const process of this.#processes) {
      process.thaw()
      process.line?.heal()
      process.shiftClock(0)
    }
    for (const { line } of this.#oldLines) line.heal()
  }

  /** Kills all of them. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all([...this.#processes].map(process => process.kill()))
    await this.#sampling
    await Promise.all([...this.#oldLines].map(old => this.#drop(old)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #sample(): Promise<void> {
    const { journal } = this.#options
    const { signal } = this.#closing
    while (!signal.aborted) {
      await pause(sampleInterval, signal)
      for (const { pid, name } of this.#processes) {
        const resources = await resourcesOf(pid)
        if (resources !== undefined)
          journal.write({ kind: 'sample', of: name, ...resources })
      }
      for (const old of this.#oldLines)
        if (performance.now() - old.since > oldLineAge) await this.#drop(old)
    }
  }

  async #drop(old: OldLine): Promise<void> {
    this.#oldLines.delete(old)
    await old.line[Symbol.asyncDispose]()
  }
}
