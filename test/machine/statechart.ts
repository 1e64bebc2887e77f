// Statecharts drawn by a seed: nested, parallel, history and final states, guards, always, raised events, events that a
// machine sends to itself, delays, and child machines that are invoked and spawned.

import {
  type AnyActorRef,
  type AnyStateMachine,
  assign,
  enqueueActions,
  raise,
  sendParent,
  sendTo,
  setup,
  stopChild,
} from 'xstate'

type Random = () => number

interface Context {
  /** Events count up; guards read it. */
  readonly n: number
  /** How much a machine may still cause by itself. */
  readonly fuel: number
  /** What has happened last, in order. */
  readonly seen: readonly string[]
  readonly refs: readonly AnyActorRef[]
  /** Set by events from outside. */
  readonly hasBegun?: true
}

interface Enqueuing {
  readonly context: Context
  enqueue(action: unknown): void
}

const outside = ['E0', 'E1', 'E2', 'E3']
/** To itself at once, to itself as an event, to a child, to the parent. */
const inside = {
  raised: ['R0', 'R1'],
  self: ['S0', 'S1'],
  down: ['K0', 'K1'],
  up: ['C0'],
}
const seenMax = 12

function pick<One>(list: readonly One[], random: Random): One {
  return list[Math.floor(random() * list.length)]!
}

/** A machine, with child machines down to a depth. */
export function drawMachine(random: Random, id = 'm', depth = 1): AnyStateMachine {
  const kids: Record<string, AnyStateMachine> =
    depth === 0
      ? {}
      : {
          kidA: drawMachine(random, `${id}a`, depth - 1),
          kidB: drawMachine(random, `${id}b`, depth - 1),
        }
  return new Drawing(random, id, kids).machine()
}

class Drawing {
  readonly #random: Random
  readonly #id: string
  readonly #kids: Readonly<Record<string, AnyStateMachine>>
  readonly #paths: string[] = []
  readonly #parallels = new Set<string>()
  /** The state whose transitions are being drawn. */
  #source = ''
  #labels = 0

  constructor(
    random: Random,
    id: string,
    kids: Readonly<Record<string, AnyStateMachine>>,
  ) {
    this.#random = random
    this.#id = id
    this.#kids = kids
  }

  machine(): AnyStateMachine {
    const isChild = this.#id !== 'm'
    const root = this.#tree('', isChild ? 0 : 1)
    const config = this.#fill(root, this.#id, isChild)
    const define = setup({
      types: { context: {} as Context },
      actors: this.#kids as never,
      guards: {
        rest: ({ context }, { by, is }: { by: number; is: number }) =>
          context.n % by === is,
        fuelled: ({ context }, { by, is }: { by: number; is: number }) =>
          context.fuel > 0 && context.n % by === is,
      },
      delays: { soon: 10, later: ({ context }) => 20 + context.n },
    })
    return define.createMachine({
      ...config,
      id: this.#id,
      context: { n: 0, fuel: 3, seen: [], refs: [] },
    } as never) as unknown as AnyStateMachine
  }

  /** The states, without what they do. */
  #tree(path: string, depth: number): Record<string, unknown> {
    const random = this.#random
    const isParallel = depth > 0 && random() < 0.3
    if (isParallel) this.#parallels.add(path)
    const count = isParallel ? 2 : 2 + Math.floor(random() * 2)
    const states: Record<string, Record<string, unknown>> = {}
    for (let i = 0; i < count; i++) {
      const key = `s${i}`
      const below = path === '' ? key : `${path}.${key}`
      this.#paths.push(below)
      const isDeep = depth > 0 && (isParallel || random() < 0.4)
      states[key] = isDeep ? this.#tree(below, depth - 1) : {}
    }
    if (!isParallel && path !== '' && random() < 0.4) {
      states['end'] = { type: 'final' }
      this.#paths.push(`${path}.end`)
    }
    if (!isParallel && random() < 0.4) {
      const key = 'was'
      states[key] = { type: 'history', history: pick(['shallow', 'deep'], random) }
      this.#paths.push(path === '' ? key : `${path}.${key}`)
    }
    return isParallel ? { type: 'parallel', states } : { initial: 's0', states }
  }

  /** Gives the states what they do. */
  #fill(
    node: Record<string, unknown>,
    name: string,
    isChild: boolean,
    isRoot = true,
  ): Record<string, unknown> {
    const random = this.#random
    this.#source = name.split('.').slice(1).join('.')
    if (node['type'] === 'history' || node['type'] === 'final') return node
    const states = node['states'] as Record<string, Record<string, unknown>> | undefined
    const invoked =
      !isRoot && Object.keys(this.#kids).length > 0 && random() < 0.3
        ? `${name}.kid`.replaceAll('.', '_')
        : undefined
    const on: Record<string, unknown> = {}
    const { raised, self, down, up } = inside
    for (const type of isChild ? down : outside)
      if (random() < 0.35) on[type] = this.#transition(invoked, true)
    for (const type of [...raised, ...self])
      if (random() < 0.35) on[type] = this.#transition(invoked)
    // A child that starts again has new fuel, and its first event may be one to its parent.
    for (const type of up) if (random() < 0.35) on[type] = this.#fuelled()
    if (random() < 0.05) on['*'] = this.#fuelled()
    const filled: Record<string, unknown> = {
      ...node,
      on,
      ...(random() < 0.4 && { entry: this.#actions(invoked, isChild) }),
      ...(random() < 0.3 && { exit: this.#actions(invoked, isChild) }),
    }
    if (!isRoot && random() < 0.15)
      filled['always'] = {
        guard: { type: 'fuelled', params: this.#modulus() },
        target: this.#target(),
        actions: this.#burn(),
      }
    if (!isRoot && random() < 0.2)
      filled['after'] = {
        [pick(['soon', 'later', 50], random)]: this.#transition(invoked),
      }
    if (states !== undefined && random() < 0.5) filled['onDone'] = this.#fuelled()
    if (invoked !== undefined)
      filled['invoke'] = {
        id: invoked,
        src: pick(Object.keys(this.#kids), random),
        ...(random() < 0.7 && { onDone: this.#fuelled() }),
      }
    if (states !== undefined)
      filled['states'] = Object.fromEntries(
        Object.entries(states).map(([key, below]) => [
          key,
          this.#fill(below, `${name}.${key}`, isChild, false),
        ]),
      )
    return filled
  }

  /** @param refuels whether the machine may cause more by itself afterwards */
  #transition(invoked: string | undefined, refuels = false): object {
    const random = this.#random
    const isInternal = random() < 0.3
    const target = this.#target()
    return {
      ...(random() < 0.3 && { guard: { type: 'rest', params: this.#modulus() } }),
      ...(!isInternal && { target, reenter: random() < 0.2 }),
      // A transition that leaves the state has stopped its child before its actions run.
      actions: [
        ...(refuels && random() < 0.7 ? [this.#refuel()] : []),
        ...this.#actions(isInternal ? invoked : undefined, this.#id !== 'm'),
      ],
    }
  }

  /** A transition that a machine takes by itself. */
  #fuelled(): object {
    const { actions, ...rest } = this.#transition(undefined) as {
      readonly actions: readonly unknown[]
    }
    const guard = { type: 'fuelled', params: { by: 1, is: 0 } }
    return { ...rest, guard, actions: [this.#burn(), ...actions] }
  }

  /**
   * A state that is in no other region of a parallel state: transitions from one region into another conflict with
   * those of the other, and XState may then be in two states of one region.
   */
  #target(): string {
    const from = this.#source === '' ? [] : this.#source.split('.')
    const allowed = this.#paths.filter(path => {
      const to = path.split('.')
      const differs = from.findIndex((key, i) => key !== to[i])
      return differs < 0 || !this.#parallels.has(from.slice(0, differs).join('.'))
    })
    return `#${this.#id}.${pick(allowed, this.#random)}`
  }

  #modulus(): { by: number; is: number } {
    const by = 2 + Math.floor(this.#random() * 2)
    return { by, is: Math.floor(this.#random() * by) }
  }

  #see(what: (context: Context) => string) {
    const label = `${this.#labels++}`
    return assign(({ context }: { context: Context }) => ({
      ...context,
      n: context.n + 1,
      seen: [...context.seen, `${label}${what(context)}`].slice(-seenMax),
    }))
  }

  #refuel() {
    return assign(({ context }: { context: Context }) => ({
      ...context,
      fuel: 3,
      hasBegun: true as const,
    }))
  }

  /** What a machine causes by itself, while it has fuel: everything comes to rest. */
  #caused(send: unknown): unknown {
    const burn = this.#burn()
    return enqueueActions((({ context, enqueue }: Enqueuing) => {
      if (context.fuel <= 0) return
      enqueue(burn)
      enqueue(send)
    }) as never)
  }

  #burn() {
    return assign(({ context }: { context: Context }) => ({
      ...context,
      fuel: context.fuel - 1,
      n: context.n + 1,
    }))
  }

  #actions(invoked: string | undefined, isChild: boolean): unknown[] {
    const random = this.#random
    const list: unknown[] = [this.#see(() => '')]
    const { raised, self, down, up } = inside
    if (random() < 0.15) list.push(this.#caused(raise({ type: pick(raised, random) })))
    if (random() < 0.2)
      list.push(this.#caused(sendTo(({ self: me }) => me, { type: pick(self, random) })))
    if (isChild && random() < 0.25)
      list.push(this.#caused(sendParent({ type: pick(up, random) })))
    if (invoked !== undefined && random() < 0.6)
      list.push(this.#caused(sendTo(invoked, { type: pick(down, random) })))
    if (!isChild) this.#addSpawned(list)
    return list
  }

  /** Children that the context refers to: spawned, sent to, stopped and read, also when they have ended. */
  #addSpawned(list: unknown[]): void {
    const random = this.#random
    const { down } = inside
    const kid = pick(Object.keys(this.#kids), random)
    if (kid !== undefined && random() < 0.12)
      list.push(
        assign(({ context, spawn }: never) => {
          const { refs, ...rest } = context as Context
          const { n } = rest
          if (refs.length >= 3) return { refs }
          const id = `spawned${n}`
          if (refs.some(ref => ref.id === id)) return { refs }
          const start = spawn as (src: string, options: object) => AnyActorRef
          return { refs: [...refs, start(kid, { id })] }
        }),
      )
    const first = (({ context }: Enqueuing) => context.refs[0]!) as never
    const ifAny = (action: unknown) =>
      enqueueActions((({ context, enqueue }: Enqueuing) => {
        if (context.refs.length > 0) enqueue(action)
      }) as never)
    if (random() < 0.2)
      list.push(ifAny(this.#caused(sendTo(first, { type: pick(down, random) } as never))))
    // Not in the first step: docs/machines.md names the difference.
    if (random() < 0.05)
      list.push(
        enqueueActions((({ context, enqueue }: Enqueuing) => {
          if (context.refs.length > 0 && context.hasBegun) enqueue(stopChild(first))
        }) as never),
      )
    if (random() < 0.1)
      list.push(
        this.#see(({ refs }) =>
          refs.map(ref => `${ref.id}${typeof ref.getSnapshot()}`).join(),
        ),
      )
    if (random() < 0.03)
      list.push(
        assign(({ context }: { context: Context }) => ({
          ...context,
          refs: context.refs.slice(1),
        })),
      )
  }
}

/** An event from outside. */
export function drawEvent(random: Random): string {
  return pick(outside, random)
}
