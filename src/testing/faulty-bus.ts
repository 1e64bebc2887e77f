// A bus that drops notices. As every bus must (BUS-3), it reports the loss before the next notice.
// In a simulation, notices also arrive late, though in order (BUS-1).

import type { NoticeBus, SubscribeOptions, Subscription } from '../bus/bus.js'
import type { CommitStored, EventStored } from '../bus/notice.js'
import type { Position } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { Faults } from './faults.js'
import type { Line, Listener } from './line.js'

/** What both kinds of notices have. */
type Placed = Pick<CommitStored, 'namespace' | 'position'>

export class FaultyBus implements NoticeBus {
  readonly #base: NoticeBus
  readonly #store: EventStore
  readonly #faults: Faults
  readonly #line: Line
  readonly #listeners = new Set<Listener & { end(): void }>()

  constructor(base: NoticeBus, store: EventStore, faults: Faults, line: Line) {
    this.#base = base
    this.#store = store
    this.#faults = faults
    this.#line = line
  }

  subscribeToEventStored(
    namespace: string,
    handler: (notice: EventStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    return this.#subscribe(handler, options, (...lossy) =>
      this.#base.subscribeToEventStored(namespace, ...lossy),
    )
  }

  subscribeToCommits(
    namespace: string,
    handler: (notice: CommitStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    return this.#subscribe(handler, options, (...lossy) =>
      this.#base.subscribeToCommits(namespace, ...lossy),
    )
  }

  subscribeAcrossNamespaces(
    handler: (notice: EventStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    return this.#subscribe(handler, options, (...lossy) =>
      this.#base.subscribeAcrossNamespaces(...lossy),
    )
  }

  close(): Promise<void> {
    for (const listener of this.#listeners) listener.end()
    return this.#base.close()
  }

  async #subscribe<Notice extends Placed>(
    handler: (notice: Notice) => void,
    options: SubscribeOptions = {},
    subscribe: (
      handler: (notice: Notice) => unknown,
      options: SubscribeOptions,
    ) => Promise<Subscription>,
  ): Promise<Subscription> {
    const faults = this.#faults
    const line = this.#line
    let seen: Position = 0
    /** The last commit looked at, and whether it is dropped: all its events, or none. */
    let last = { namespace: '', position: 0, isDropped: false }
    let isGap = false
    let dropped = 0
    let gaps = 0
    let isEnded = false
    /** The positions of notices on their way, and when the last one has arrived. */
    const onTheWay: Position[] = []
    let allArrived: Promise<unknown> = Promise.resolve()
    const tellGap = () => {
      if (!isGap) return
      isGap = false
      gaps++
      try {
        options.onInterrupted?.('gap')
      } catch (error) {
        options.onHandlerError?.(error)
      }
    }
    const arrive = (notice: Notice) => {
      const { namespace, position } = notice
      if (line.isDown || isEnded || options.signal?.aborted === true) return undefined
      if (namespace !== last.namespace || position !== last.position) {
        const isDropped = faults.happens('dropNotices', line.nodeId)
        last = { namespace, position, isDropped }
        seen = Math.max(seen, position)
        if (isDropped) {
          faults.count('noticesDropped')
          dropped++
          isGap = true
        }
      }
      if (last.isDropped) return undefined
      tellGap()
      // A handler may return a promise, whose failure the bus reports (BUS-4).
      return handler(notice)
    }
    const lossy = (notice: Notice): unknown => {
      const arrival = line.moment(`notice ${notice.position} arrives`)
      if (arrival === undefined) return arrive(notice)
      onTheWay.push(notice.position)
      const arrived = Promise.all([arrival, allArrived]).then(() => {
        onTheWay.shift()
        return arrive(notice)
      })
      // Its failure is the bus's to report.
      allArrived = arrived.catch(() => {})
      return arrived
    }
    const base = await line.up('subscription is in force', subscribe(lossy, options))
    // What was stored before it was in force is not its business.
    const before = await line.up('last position is read', this.#store.lastPosition())
    seen = Math.max(seen, before)
    const listener = {
      get seen() {
        const [next = Infinity] = onTheWay
        return Math.min(seen, next - 1)
      },
      tellGap,
      end: () => {
        isEnded = true
        line.listeners.delete(listener)
        this.#listeners.delete(listener)
      },
    }
    line.listeners.add(listener)
    this.#listeners.add(listener)
    return {
      stats() {
        const { commits, interruptions, ...rest } = base.stats()
        return {
          ...rest,
          commits: commits - dropped,
          interruptions: interruptions + gaps,
        }
      },
      unsubscribe: () => {
        listener.end()
        return base.unsubscribe()
      },
    }
  }
}
