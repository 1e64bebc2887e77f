// The work of one plugin: what waits to be sent, what it is working on, and who waits for the results.
//
// Owns the waiting and the open work of one registration. It ends with it; the next registration has a workbench of its own.
// WORKBENCH-1. At most `workMax` pieces of work are with the plugin; the others wait in order.
// WORKBENCH-2. Each piece of work is answered once: by its result, by its signal, or by the end of the workbench. A result
//     that nobody waits for is dropped.
// WORKBENCH-3. Work during which the plugin has died is handled alone the next time (Suspects), so that what kills a
//     plugin is found, and costs nothing else an attempt.

import { create, toBinary } from '@bufbuild/protobuf'
import { CairnError } from 'cairn-es'

import {
  type HostResponse,
  HostResponseSchema,
  type Result,
  type Work,
  WorkSchema,
} from '../gen/cairn/v1/plugin_pb.js'
import type { Suspects } from './suspects.js'

/** A message to the plugin has at most this many bytes of work, and always one piece. */
const messageBytesMax = 1024 * 1024

type Waiter = (result: Result['result'] | Error) => void

interface Open {
  readonly work: Work
  readonly key: string
  readonly bytes: number
  answer: Waiter
}

export class Workbench {
  readonly #workMax: number
  readonly #suspects: Suspects
  readonly #waiting: Open[] = []
  readonly #working = new Map<bigint, Open>()
  readonly #outgoing: Open[] = []
  #cancelled: bigint[] = []
  #isDraining = false
  /** Work that is handled alone (WORKBENCH-3). */
  #alone: Open | undefined
  #end: Error | undefined
  #lastId = 0n
  #wake: () => void = () => {}

  constructor(workMax: number, suspects: Suspects) {
    this.#workMax = workMax
    this.#suspects = suspects
  }

  /**
   * Resolves with the plugin's result.
   * @param key names what is worked on, the same when it is repeated
   */
  run(work: Work['work'], key: string, signal: AbortSignal): Promise<Result['result']> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end)
      if (signal.aborted) return reject(signal.reason as Error)
      const id = ++this.#lastId
      const piece = create(WorkSchema, { id, work })
      const bytes = toBinary(WorkSchema, piece).byteLength
      const abort = () => this.#giveUp(open, signal.reason as Error)
      const open: Open = {
        work: piece,
        key,
        bytes,
        answer(result) {
          signal.removeEventListener('abort', abort)
          open.answer = () => {}
          if (result instanceof Error) reject(result)
          else resolve(result)
        },
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#waiting.push(open)
      this.#start()
    })
  }

  settle(results: readonly Result[]): void {
    for (const { id, result } of results) {
      const open = this.#working.get(id)
      if (open === undefined) continue
      this.#finish(open)
      this.#suspects.clear(open.key)
      open.answer(result)
    }
    this.#start()
  }

  /** Tells the plugin that no more work comes. What it has is waited for. */
  drain(): void {
    this.#isDraining = true
    this.#wake()
  }

  /** Answers everything with an error. */
  end(error: Error): void {
    if (this.#end !== undefined) return
    this.#end = error
    for (const open of [...this.#working.values(), ...this.#waiting]) open.answer(error)
    this.#working.clear()
    this.#waiting.length = 0
    this.#outgoing.length = 0
    this.#wake()
  }

  /** The plugin has died: what it was working on is suspected (WORKBENCH-3). */
  die(error: Error): void {
    if (this.#end !== undefined) return
    for (const { key } of this.#working.values()) this.#suspects.add(key)
    this.end(error)
  }

  /** Messages to the plugin, until the workbench ends. */
  async *messages(): AsyncGenerator<HostResponse> {
    let hasToldDraining = false
    while (this.#end === undefined || (this.#isDraining && !hasToldDraining)) {
      const work = this.#take()
      const cancelled = this.#cancelled
      this.#cancelled = []
      const draining: boolean = this.#isDraining && !hasToldDraining
      if (work.length > 0 || cancelled.length > 0 || draining) {
        hasToldDraining ||= draining
        yield create(HostResponseSchema, { work, cancelled, draining })
        continue
      }
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  #take(): Work[] {
    const taken: Work[] = []
    let bytes = 0
    while (this.#outgoing.length > 0) {
      const next = this.#outgoing[0]!
      bytes += next.bytes
      if (taken.length > 0 && bytes > messageBytesMax) break
      taken.push(next.work)
      this.#outgoing.shift()
    }
    return taken
  }

  /** WORKBENCH-1, WORKBENCH-3. */
  #start(): void {
    while (
      this.#waiting.length > 0 &&
      this.#working.size < this.#workMax &&
      this.#alone === undefined
    ) {
      const next = this.#waiting[0]!
      if (this.#suspects.has(next.key)) {
        if (this.#suspects.isGuilty(next.key)) {
          this.#waiting.shift()
          this.#suspects.clear(next.key)
          next.answer(crashed(next.key))
          continue
        }
        if (this.#working.size > 0) return
        this.#alone = next
      }
      this.#waiting.shift()
      this.#working.set(next.work.id, next)
      this.#outgoing.push(next)
      this.#wake()
    }
  }

  #finish(open: Open): void {
    this.#working.delete(open.work.id)
    if (this.#alone === open) this.#alone = undefined
  }

  #giveUp(open: Open, reason: Error): void {
    const waiting = this.#waiting.indexOf(open)
    if (waiting >= 0) this.#waiting.splice(waiting, 1)
    else if (this.#working.has(open.work.id)) {
      this.#finish(open)
      const unsent = this.#outgoing.indexOf(open)
      if (unsent >= 0) this.#outgoing.splice(unsent, 1)
      else this.#cancelled.push(open.work.id)
      this.#wake()
    }
    open.answer(reason)
    this.#start()
  }
}

/** The error of work that was handled alone when the plugin died, more than once. */
export class PluginCrashed extends CairnError {}

function crashed(key: string): CairnError {
  return new PluginCrashed(
    'remote-failure',
    `The plugin has died several times while it handled ${key}, and nothing else: it may be the cause. Look into the ` +
      "plugin's log, then send it again.",
    { details: { work: key } },
  )
}
