// The commands of this node that other nodes have not answered yet.
//
// Owns one abort signal per node. It ends the waits for that node once it has died, and all waits once this node closes.

import { setMaxListeners } from 'node:events'

import { type Deferred, deferred, pause } from '../model/wait.js'

/** The waits for the answers of one node. */
interface NodeWaits {
  /** Aborted when the node has died, or this one closes. One controller serves all waits, as each costs some µs. */
  readonly ended: AbortController
  open: number
}

export class PendingAnswers {
  readonly #nodes = new Map<string, NodeWaits>()
  #commands = 0
  #allAnswered: Deferred<void> | undefined
  #isClosed = false

  /** How many are unanswered. */
  get commands(): number {
    return this.#commands
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Counts a command as unanswered until `work` has ended. */
  async track<T>(work: () => Promise<T>): Promise<T> {
    this.#commands++
    try {
      return await work()
    } finally {
      if (--this.#commands === 0) this.#allAnswered?.resolve()
    }
  }

  /**
   * Sends a request to a node with a signal that also fires once the node has died or this one closes.
   *
   * @param toError returns the error to throw; `hasNodeLeft` if that signal fired, and not the caller's
   */
  async request<T>(
    nodeId: string,
    signal: AbortSignal | undefined,
    send: (signal: AbortSignal) => Promise<T>,
    toError: (error: unknown, hasNodeLeft: boolean) => unknown,
  ): Promise<T> {
    const waits = this.#waitsFor(nodeId)
    const ended = waits.ended.signal
    const either = signal === undefined ? ended : AbortSignal.any([ended, signal])
    waits.open++
    try {
      return await send(either)
    } catch (error) {
      throw toError(error, ended.aborted && !signal?.aborted)
    } finally {
      waits.open--
    }
  }

  /** Ends the waits for dead nodes, and forgets nodes that are neither present nor waited for. */
  update(dead: Iterable<string>, present: ReadonlySet<string>): void {
    for (const id of dead) {
      this.#nodes.get(id)?.ended.abort()
      this.#nodes.delete(id)
    }
    for (const [id, { open }] of this.#nodes)
      if (open === 0 && !present.has(id)) this.#nodes.delete(id)
  }

  /**
   * Waits for the answers for at most `timeout` ms, then ends the waits that are still open.
   * @param onTimeout called before it ends them
   */
  async close(timeout: number, onTimeout?: () => void): Promise<void> {
    if (this.#commands > 0) {
      this.#allAnswered ??= deferred<void>()
      const inTime = new AbortController()
      const answered = this.#allAnswered.promise.then(() => inTime.abort())
      await Promise.race([answered, pause(timeout, inTime.signal)])
      this.#isClosed = true
      onTimeout?.()
      for (const { ended } of this.#nodes.values()) ended.abort()
      await answered
    }
    this.#isClosed = true
  }

  #waitsFor(nodeId: string): NodeWaits {
    let waits = this.#nodes.get(nodeId)
    if (waits === undefined) {
      waits = { ended: new AbortController(), open: 0 }
      setMaxListeners(0, waits.ended.signal)
      this.#nodes.set(nodeId, waits)
    }
    return waits
  }
}
