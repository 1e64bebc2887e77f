// The scheduler of a simulation: one seed gives one order of everything that is ready at the same time.
//
// Owns the simulated time, the tasks that are ready, and the timers that are not due yet.
// SCHEDULER-1. One task runs at a time. The next one is drawn when all promises that the last one settled have been
//              followed to their end.
// SCHEDULER-2. The next task is drawn from all that are ready, by the seed alone. A timer is ready from its due time on.
// SCHEDULER-3. Simulated time is changed by tasks and due times, never by the time that this machine takes. A step takes
//              a little of it, so that work without an end does not stop the timers.
// SCHEDULER-4. When nothing is ready, the next timer is waited for in real time, unless time is skipped: what a test
//              waits for outside the simulation gets its time, too.

import { AsyncResource } from 'node:async_hooks'

import type { Random } from './random.js'

/** Something that took place in a simulation: a delivery, a timer, a result. */
export interface Step {
  /** Milliseconds of simulated time since the start. */
  readonly at: number
  readonly what: string
}

interface Task {
  readonly what: string
  readonly run: () => void
}

/** Milliseconds that a step takes: a fraction of which binary sums are exact. */
const stepTakes = 1 / 32

// Taken here, because a simulation replaces the global ones.
const { setImmediate: onNextTurn, setTimeout: after, clearTimeout: forget } = globalThis
const realNow = performance.now.bind(performance)

export class Scheduler {
  readonly #random: Random
  readonly #onStep: ((step: Step) => void) | undefined
  readonly #ready: Task[] = []
  /** By their due time, and then by the order in which they were set. */
  readonly #timers: SimulatedTimer[] = []
  #now = 0
  /** A turn of the event loop has been asked for. */
  #isTurning = false
  /** Waits for the first due time. */
  #waiting: NodeJS.Timeout | undefined
  #skipping = 0
  #isEnded = false

  constructor(random: Random, onStep?: (step: Step) => void) {
    this.#random = random
    this.#onStep = onStep
  }

  /** Milliseconds since the start. */
  get now(): number {
    return this.#now
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Resolves at a moment that the seed chooses. */
  moment(what: string): Promise<void> {
    return new Promise(resolve => this.#add({ what, run: resolve }))
  }

  /** Runs a task at a moment that the seed chooses; the returned function takes it back. */
  soon(what: string, work: () => void): () => void {
    const task: Task = { what, run: inItsContext(work) }
    this.#add(task)
    return () => this.#withdraw(task)
  }

  /** Runs a task after some milliseconds, once or again and again. */
  after(ms: number, work: () => void, isRepeated = false): SimulatedTimer {
    return new SimulatedTimer(this, ms, inItsContext(work), isRepeated)
  }

  /** While the work runs, time passes at once where nothing is ready: nobody outside is waited for. */
  async skipping<T>(work: () => Promise<T>): Promise<T> {
    this.#skipping++
    this.#look()
    try {
      return await work()
    } finally {
      this.#skipping--
    }
  }

  /** Runs what is ready, and drops the timers. */
  end(): void {
    this.#isEnded = true
    forget(this.#waiting)
    this.#timers.length = 0
    for (const { run } of this.#ready.splice(0)) run()
  }

  /** @internal */
  set(timer: SimulatedTimer): void {
    const before = this.#timers.findLastIndex(({ due }) => due <= timer.due)
    this.#timers.splice(before + 1, 0, timer)
    this.#look()
  }

  /** @internal */
  clear(timer: SimulatedTimer): void {
    const at = this.#timers.indexOf(timer)
    if (at < 0) this.#withdraw(timer)
    else this.#timers.splice(at, 1)
    if (at === 0) this.#look()
  }

  /** Keeps the process alive while a timer waits that does. @internal */
  countRefs(): void {
    if (this.#timers.some(timer => timer.hasRef())) this.#waiting?.ref()
    else this.#waiting?.unref()
  }

  #add(task: Task): void {
    this.#ready.push(task)
    this.#look()
  }

  #withdraw(task: Task): void {
    const at = this.#ready.indexOf(task)
    if (at >= 0) this.#ready.splice(at, 1)
  }

  /** Goes on at the next turn, or when the first timer is due. */
  #look(): void {
    if (this.#isTurning || this.#isEnded) return
    forget(this.#waiting)
    this.#waiting = undefined
    const [first] = this.#timers
    if (this.#ready.length > 0 || (first !== undefined && this.#skipping > 0))
      this.#takeTurn()
    else if (first !== undefined) {
      const wait = Math.ceil(first.realDue - realNow()) // SCHEDULER-4.
      this.#waiting = after(() => this.#takeTurn(), Math.max(0, wait))
      this.countRefs()
    }
  }

  #takeTurn(): void {
    this.#isTurning = true
    // SCHEDULER-1: by then, no promise is left to follow.
    onNextTurn(() => {
      this.#isTurning = false
      try {
        this.#step()
      } finally {
        this.#look()
      }
    })
  }

  #step(): void {
    const [first] = this.#timers
    // SCHEDULER-3.
    if (this.#ready.length > 0) this.#now += stepTakes
    else {
      if (first === undefined) return
      if (this.#skipping === 0 && first.realDue > realNow()) return // SCHEDULER-4.
      this.#now = Math.max(this.#now, first.due)
    }
    while (this.#timers.length > 0 && this.#timers[0]!.due <= this.#now)
      this.#ready.push(this.#timers.shift()!)
    // SCHEDULER-2.
    const chosen = Math.floor(this.#random() * this.#ready.length)
    const [task] = this.#ready.splice(chosen, 1)
    this.#onStep?.({ at: this.#now, what: task!.what })
    task!.run()
  }
}

/** Keeps what the caller's code belongs to, as the system's timers do. */
function inItsContext(work: () => void): () => void {
  const caller = new AsyncResource('simulated')
  return () => caller.runInAsyncScope(work)
}

/** What the simulated `setTimeout` and `setInterval` return. */
export class SimulatedTimer {
  readonly what: string
  readonly #scheduler: Scheduler
  readonly #ms: number
  readonly #work: () => void
  readonly #isRepeated: boolean
  #due!: number
  #realDue!: number
  #hasRef = true

  constructor(scheduler: Scheduler, ms: number, work: () => void, isRepeated: boolean) {
    this.#scheduler = scheduler
    // As the system's timers do.
    this.#ms = ms >= 1 && ms < 2 ** 31 ? Math.trunc(ms) : 1
    this.#work = work
    this.#isRepeated = isRepeated
    this.what = `timer of ${this.#ms} ms`
    this.#set()
  }

  /** In simulated time. */
  get due(): number {
    return this.#due
  }

  /** The earliest real time to fire at. */
  get realDue(): number {
    return this.#realDue
  }

  readonly run = () => {
    if (this.#isRepeated) this.#set()
    this.#work()
  }

  clear(): void {
    this.#scheduler.clear(this)
  }

  refresh(): this {
    this.clear()
    this.#set()
    return this
  }

  hasRef(): boolean {
    return this.#hasRef
  }

  ref(): this {
    this.#hasRef = true
    this.#scheduler.countRefs()
    return this
  }

  unref(): this {
    this.#hasRef = false
    this.#scheduler.countRefs()
    return this
  }

  #set(): void {
    this.#due = this.#scheduler.now + this.#ms
    this.#realDue = realNow() + this.#ms
    this.#scheduler.set(this)
  }
}
