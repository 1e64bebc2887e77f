// The states of the workloads' actors, folded from their events. Written again here, so that the checker does not share
// a mistake with the definitions that the hosts run.

export interface StoredEvent {
  readonly type: string
  readonly version: number
  readonly data?: unknown
}

export interface Fold {
  readonly initial: unknown
  /** Whether the states of all versions can be kept. */
  readonly isSmall?: boolean
  evolve(state: unknown, event: StoredEvent): unknown
  /** The state after some events, where there is a quicker way than folding them one after another. */
  after?(events: readonly StoredEvent[]): unknown
}

export interface DoorState {
  readonly isOpen: boolean
  readonly entered: number
}

export interface PurseState {
  readonly balance: number
  readonly isOpened: boolean
}

/** How often each armed name has rung. */
type AlarmState = Readonly<Record<string, number>>

const collected: Fold = {
  initial: [],
  evolve: (state, { data }) => [...(state as readonly unknown[]), data],
  after: events => events.map(({ data }) => data),
}

const door: Fold = {
  isSmall: true,
  initial: { isOpen: false, entered: 0 } satisfies DoorState,
  evolve(state, { type }) {
    const { isOpen, entered } = state as DoorState
    if (type === 'entered') return { isOpen, entered: entered + 1 }
    return { isOpen: type === 'opened', entered }
  },
}

const purse: Fold = {
  isSmall: true,
  initial: { balance: 0, isOpened: false } satisfies PurseState,
  evolve(state, { type, data }) {
    const { balance, isOpened } = state as PurseState
    const { amount } = data as { readonly amount: number }
    if (type === 'opened') return { balance: amount, isOpened: true }
    return { balance: type === 'taken' ? balance - amount : balance + amount, isOpened }
  },
}

const register: Fold = { isSmall: true, initial: '', evolve: (_state, { data }) => data }

const alarm: Fold = {
  initial: {},
  evolve(state, { type, data }) {
    const { name } = data as { readonly name: string }
    const times = (state as AlarmState)[name] ?? 0
    return { ...(state as AlarmState), [name]: type === 'rang' ? times + 1 : times }
  },
}

const folds: ReadonlyMap<string, Fold> = new Map([
  ['list', collected],
  ['tape', collected],
  ['door', door],
  ['purse', purse],
  ['register', register],
  ['alarm', alarm],
])

/** The fold of a type, if the checker knows it. */
export function foldOf(type: string): Fold | undefined {
  return folds.get(type)
}
