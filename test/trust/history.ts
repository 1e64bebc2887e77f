// The history of one run: what clients asked and were told, what handlers did, which faults were injected, and what
// was in the store at the end.
//
// Every process appends to a file of its own in the run's folder, one JSON object a line, and writes an invocation
// before it makes the call. The checker reads these files and nothing else, so a kept folder can be checked again.
//
//   <process>.jsonl   entries of one process
//   <namespace>/log.jsonl      the log at the end, in order, and the messages published outside actors (LogLine)
//   <namespace>/states.jsonl   the latest state of each actor, as the public API answers it (StateLine)
//   <namespace>/dead.jsonl     the dead letters (DeadLine)
//   <namespace>/waiting.jsonl  what is still in the inbox or among the timers (WaitingLine)
//   run.json          seed, place, minutes, versions (Run)

import { appendFileSync, openSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Milliseconds of CLOCK_MONOTONIC, which all processes of a machine share. */
export type Moment = number

export type Entry = Invoked | Completed | Effect | Fault | Sample

interface Base {
  readonly at: Moment
  readonly process: string
  /** Absent for faults and samples, which are the same for all namespaces. */
  readonly namespace?: string
}

/** A call through the public door. */
export interface Invoked extends Base {
  readonly kind: 'invoked'
  /** Unique in the run. A retry under the same command id is an operation of its own. */
  readonly op: string
  readonly workload: string
  readonly call:
    'ask' | 'append' | 'transact' | 'state' | 'send' | 'publish' | 'consume' | 'settle'
  /** `type/id`; for a transaction the actors are in `data`. */
  readonly actor?: string
  readonly command?: string
  readonly data?: unknown
  /** The command id, transaction id or message id that was given. */
  readonly id?: string
  /** Appends: the expected version. */
  readonly expected?: number
  /** States: the freshness that was asked for. */
  readonly freshness?: unknown
}

/**
 * The end of a call. An operation without one is unknown: its process died or was stopped.
 *
 * `ok`: accepted (ask, append, transact, send, publish, state, consume, settle). `rejected`: the behavior or the work
 * of a transaction refused it. `conflict`: an append whose expectation did not hold. `error`: it threw; `code` is the
 * error's code, or its name if it is not one of Cairn's.
 */
export interface Completed extends Base {
  readonly kind: 'completed'
  readonly op: string
  readonly outcome: 'ok' | 'rejected' | 'conflict' | 'error'
  readonly code?: string
  readonly message?: string
  readonly version?: number
  readonly position?: number
  readonly reply?: unknown
  readonly duplicate?: boolean
  /** A state that was read; the actual version of a conflict; the messages that were consumed. */
  readonly value?: unknown
}

/** A handler's work: written at its begin, and at its end unless its process died. */
export interface Effect extends Base {
  readonly kind: 'effect'
  /** The reactor, trigger or consumer. */
  readonly by: string
  /** Unique per handling: joins the entries of one. */
  readonly handling: string
  readonly phase: 'begun' | 'done' | 'failed'
  /** The id of the message or event, as the handler was given it. */
  readonly message: string
  /** What the order is kept by: the actor, or the key of the message. */
  readonly key: string
  /** Position in the log, or among the topic messages. */
  readonly position: number
  readonly attempt?: number
  readonly redrives?: number
  /** False: the handler was told that no attempt came before. */
  readonly mayBeRepeat?: boolean
  /** The handler fails this message for good: it must end as a dead letter. */
  readonly terminal?: boolean
}

/** A fault, written at its begin and at its end (heal). A kill has both at once. */
export interface Fault extends Base {
  readonly kind: 'fault'
  readonly fault: string
  readonly target: string
  readonly phase: 'begun' | 'healed' | 'recovered'
  /** `recovered`: milliseconds from the heal until every probe was answered. */
  readonly after?: number
}

/** Resources of a process. */
export interface Sample extends Base {
  readonly kind: 'sample'
  readonly of: string
  readonly rss: number
  readonly files: number
}

export type LogLine =
  | {
      readonly kind: 'commit'
      readonly position: number
      readonly actor: string
      readonly firstVersion: number
      readonly lastVersion: number
      readonly commitId: string
      readonly nodeId: string
      readonly writtenAt: number
      readonly transactionId?: string
      /** One per command, in order; `id` is absent for an append without a command. */
      readonly slices: readonly {
        readonly firstVersion: number
        readonly lastVersion: number
        readonly id?: string
        readonly reply?: unknown
      }[]
      readonly events: readonly {
        readonly type: string
        readonly version: number
        readonly data?: unknown
      }[]
      /** The inline state, if the commit has one. */
      readonly state?: unknown
      /** Which entries its outbox has: `message`, `command`, `timer`, `cancel`, with topic or target. */
      readonly outbox?: readonly {
        readonly kind: string
        readonly to: string
        readonly id: string
        readonly data?: unknown
      }[]
    }
  | { readonly kind: 'malformed'; readonly position: number; readonly reason: string }
  /** A message that code outside an actor published. Positions are those of the topic messages. */
  | {
      readonly kind: 'message'
      readonly position: number
      readonly topic: string
      readonly id: string
      readonly data?: unknown
    }

export interface StateLine {
  readonly actor: string
  readonly version: number
  readonly state: unknown
  /** Absent where a plain XState machine cannot be held beside it. */
  readonly plain?: unknown
}

export interface DeadLine {
  readonly by: string
  readonly message: string
  readonly reason: string
}

export interface WaitingLine {
  readonly kind: 'inbox' | 'timer'
  readonly actor: string
  readonly id: string
}

export interface Run {
  readonly seed: number
  readonly place: Place
  readonly minutes: number
  readonly namespaces: readonly string[]
  readonly startedAt: string
}

export type Place = 'nats' | 'r3' | 'lmdb'

/** What one run has left of one namespace. */
export interface History {
  readonly run: Run
  readonly namespace: string
  /** Of all processes, by time; without those of other namespaces. */
  readonly entries: readonly Entry[]
  readonly log: readonly LogLine[]
  readonly states: readonly StateLine[]
  readonly dead: readonly DeadLine[]
  readonly waiting: readonly WaitingLine[]
}

export function now(): Moment {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

type WithoutBase<Some> = Some extends Entry ? Omit<Some, 'at' | 'process'> : never

/** Appends entries synchronously: what was written survives `kill -9` of the process. */
export class Journal {
  readonly #file: number
  readonly process: string
  #ops = 0

  constructor(folder: string, name: string) {
    this.process = name
    this.#file = openSync(join(folder, `${name}.jsonl`), 'a')
  }

  write(entry: WithoutBase<Entry>): void {
    const line = JSON.stringify({ at: now(), process: this.process, ...entry }, plain)
    appendFileSync(this.#file, `${line}\n`)
  }

  nextOp(): string {
    return `${this.process}-${++this.#ops}`
  }
}

/** Values that JSON has no form for, written so that equal values have equal texts. */
export function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Map) return { map: [...(value as Map<unknown, unknown>)] }
  if (value instanceof Set) return { set: [...(value as Set<unknown>)] }
  return value
}

export async function readRun(folder: string): Promise<Run> {
  return JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')) as Run
}

export async function readHistory(folder: string, namespace: string): Promise<History> {
  const files = (await readdir(folder)).filter(name => name.endsWith('.jsonl'))
  const entries = await Promise.all(files.map(name => linesOf<Entry>(join(folder, name))))
  const of = <Line>(name: string) => linesOf<Line>(join(folder, namespace, name))
  return {
    run: await readRun(folder),
    namespace,
    entries: entries
      .flat()
      .filter(entry => (entry.namespace ?? namespace) === namespace)
      .toSorted((a, b) => a.at - b.at),
    log: await of<LogLine>('log.jsonl'),
    states: await of<StateLine>('states.jsonl'),
    dead: await of<DeadLine>('dead.jsonl'),
    waiting: await of<WaitingLine>('waiting.jsonl'),
  }
}

/** The lines of a file; the last one may be cut off where its process was killed. */
async function linesOf<Line>(path: string): Promise<Line[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').filter(line => line !== '')
  return lines.flatMap((line, i) => {
    try {
      return [JSON.parse(line) as Line]
    } catch (error) {
      if (i === lines.length - 1) return []
      throw new Error(`Line ${i + 1} of ${path} is not JSON.`, { cause: error })
    }
  })
}
