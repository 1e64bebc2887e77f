// What the API answers, as far as the console reads it.

export interface EventView {
  readonly id?: string
  readonly actor?: string
  readonly type?: string
  readonly version?: number
  readonly position: number
  readonly data?: unknown
  readonly at?: string
  readonly nodeId?: string
  readonly commandId?: string
  readonly commitId?: string
  readonly correlationId?: string
  readonly causationId?: string
  readonly principal?: string
  readonly malformed?: boolean
  readonly reason?: string
}

export type Role = 'reader' | 'writer' | 'operator'

export interface Me {
  readonly id: string
  readonly roles: readonly Role[]
}

export interface HostedType {
  readonly type: string
  readonly version: number
  readonly commands: readonly string[]
  readonly publishes: readonly string[]
}

export interface Self {
  readonly id: string
  readonly namespace: string
  readonly actors: readonly HostedType[]
  readonly reactors: readonly string[]
  readonly projections: readonly string[]
  readonly stats: {
    readonly actors: Readonly<Record<string, number>>
    readonly damage: readonly unknown[]
    readonly dead: Readonly<Record<string, number>>
    readonly [part: string]: unknown
  }
}

export interface Member {
  readonly id: string
  readonly types: readonly string[]
  readonly behaviors: Readonly<Record<string, number>>
  readonly weight: number
  readonly version: string
  readonly since: string
  readonly groups: readonly string[]
}

export interface ParkedActor {
  readonly actor: string
  readonly reason: string
  readonly version?: number
  readonly eventType?: string
}

export interface Failing {
  readonly key: string
  readonly position: number
  readonly attempts: number
  readonly nextAt: string
  readonly error: string
}

export interface Backlog {
  readonly group: string
  readonly topics: readonly string[]
  readonly source: 'log' | 'topics' | 'inbox'
  readonly waiting: number
  readonly counted: boolean
  readonly lagSeconds: number
  readonly health: 'good' | 'watch' | 'critical'
  readonly due: number
  readonly dead: number
  readonly failing: readonly Failing[]
}

export interface DeadLetter {
  readonly position: number
  readonly reactor: string
  readonly reason: string
  readonly attempts: number
  readonly markedAt: string
  readonly error: {
    readonly name: string
    readonly message?: string
    readonly stack?: string
  }
  readonly message: {
    readonly id: string
    readonly topic: string
    readonly actor?: string
    readonly data?: unknown
  }
}

export interface Projection {
  readonly name: string
  readonly end: number
  readonly builds: readonly {
    readonly number: number
    readonly version: number
    readonly state: 'building' | 'live' | 'retired'
    readonly position: number
    readonly lag: number
  }[]
}

export interface Timer {
  readonly actor: string
  readonly name: string
  readonly due: string
  readonly every?: number
  readonly command: string
  readonly data: unknown
}

export interface Directives {
  readonly paused: {
    readonly by: string
    readonly reason?: string
    readonly at: number
  } | null
  readonly skipped: readonly unknown[]
  readonly retries: number
}

export interface ChartTransition {
  readonly event: string
  readonly targets: readonly string[]
  readonly delay?: number | string
  readonly guard?: string
  readonly actions: readonly string[]
}

export interface ChartState {
  readonly id: string
  readonly key: string
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history'
  readonly tags: readonly string[]
  readonly invokes: readonly string[]
  readonly initial?: string
  readonly transitions: readonly ChartTransition[]
  readonly states: readonly ChartState[]
}

export interface MachineState {
  readonly status: string
  readonly value: unknown
  readonly context: unknown
}

/** What led to a commit, or what it led to: an entry of a tree. */
export interface Link {
  readonly relation: 'cause' | 'this' | 'effect'
  readonly depth: number
  readonly kind: 'commit' | 'entry' | 'outside'
  readonly what: string
  readonly by: string
  readonly actor?: string
  readonly version?: number
  readonly position: number | null
  readonly principal: string | null
  readonly at: string | null
}

/** As much of a JSON Schema as a form is made of. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly minLength?: number
  readonly maxLength?: number
}
