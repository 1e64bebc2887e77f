// Builds histories in memory, for the tests of the checker.
//
// Calls move the clock and append entries and commits. States and handlings are derived in `build`, so that a test that
// changes the log changes them, too.

import type {
  Completed,
  DeadLine,
  Effect,
  Entry,
  Fault,
  History,
  Invoked,
  LogLine,
  StateLine,
  WaitingLine,
} from '../history.js'
import { foldOf } from './folds.js'
import { eventTopicOf, Messages, type StoredMessage } from './messages.js'
import { type CommitLine, type MessageLine, type Slice, typeOf } from './timeline.js'

type Ended = Omit<Completed, 'at' | 'process' | 'kind' | 'op'>
type Asked = Omit<Invoked, 'at' | 'process' | 'kind' | 'op'>

export interface NewEvent {
  readonly type: string
  readonly data?: unknown
}

export interface NewCommit {
  readonly actor: string
  /** The events of each command, and its id. */
  readonly commands: readonly {
    readonly events: readonly NewEvent[]
    readonly id?: string
    readonly reply?: unknown
  }[]
  readonly transactionId?: string
  readonly outbox?: readonly { kind: string; to: string; data?: unknown }[]
}

/** What a reader does with a message. */
export type Handle = (builder: HistoryBuilder, by: string, message: StoredMessage) => void

export const namespace = 'a'
/** The wall clock at the start; moments of the journal are much smaller. */
const wallStart = 1_700_000_000_000

export class HistoryBuilder {
  readonly entries: Entry[] = []
  readonly log: LogLine[] = []
  readonly dead: DeadLine[] = []
  readonly waiting: WaitingLine[] = []
  /** By actor: replaces parts of the state that is answered at the end. */
  readonly states = new Map<string, Partial<StateLine>>()
  /** By position: replaces the state that a commit carries. */
  readonly inlineStates = new Map<number, unknown>()
  /** By `reader message`: what happens instead of one handling that succeeds. */
  readonly plans = new Map<string, Handle>()
  readonly #versions = new Map<string, number>()
  #now = 0
  #ops = 0
  #handlings = 0
  #position = 0
  #topicPosition = 0

  get wall(): number {
    return wallStart + this.#now
  }

  get position(): number {
    return this.#position
  }

  versionOf(actor: string): number {
    return this.#versions.get(actor) ?? 0
  }

  wait(ms: number): void {
    this.#now += ms
  }

  invoke(asked: Asked): string {
    const op = `op-${++this.#ops}`
    this.entries.push({ ...this.#base('client'), kind: 'invoked', op, ...asked })
    return op
  }

  complete(op: string, ended: Ended): void {
    this.entries.push({ ...this.#base('client'), kind: 'completed', op, ...ended })
  }

  /** A call that ends without anything happening in between. */
  call(asked: Asked, ended: Ended): void {
    this.complete(this.invoke(asked), ended)
  }

  commit({ actor, commands, transactionId, outbox }: NewCommit): CommitLine {
    const firstVersion = this.versionOf(actor) + 1
    let version = firstVersion - 1
    const slices: Slice[] = []
    const events: CommitLine['events'][number][] = []
    for (const { events: ofCommand, id, reply } of commands) {
      const first = version + 1
      for (const event of ofCommand) events.push({ ...event, version: ++version })
      slices.push({
        firstVersion: first,
        lastVersion: version,
        ...(id !== undefined && { id }),
        ...(reply !== undefined && { reply }),
      })
    }
    this.#versions.set(actor, version)
    this.#now += 1
    const commit: CommitLine = {
      kind: 'commit',
      position: ++this.#position,
      actor,
      firstVersion,
      lastVersion: version,
      commitId: `commit-${this.#position}`,
      nodeId: 'host1',
      writtenAt: this.wall,
      ...(transactionId !== undefined && { transactionId }),
      slices,
      events,
      ...(outbox !== undefined && {
        outbox: outbox.map((entry, i) => ({
          ...entry,
          id: `${actor}/${firstVersion}#${i}`,
        })),
      }),
    }
    this.log.push(commit)
    return commit
  }

  publish(topic: string, id: string, data: unknown): MessageLine {
    const position = ++this.#topicPosition
    const line: MessageLine = { kind: 'message', position, topic, id, data }
    this.log.push(line)
    return line
  }

  /** Writes the begin of a handling, and its end if it has one. */
  handle(
    by: string,
    { id, position, source, data, line }: StoredMessage,
    end: 'done' | 'failed' | 'killed',
    told: Partial<Effect> = {},
  ): void {
    const own = data as { readonly key?: string; readonly terminal?: boolean } | undefined
    const key = source === 'log' ? (line as CommitLine).actor : (own?.key ?? id)
    const effect = {
      kind: 'effect',
      by,
      handling: `handling-${++this.#handlings}`,
      message: id,
      key,
      position,
      attempt: 1,
      redrives: 0,
      mayBeRepeat: false,
      terminal: own?.terminal === true,
      ...told,
    } as const
    this.entries.push({ ...this.#base('host1'), ...effect, phase: 'begun' })
    if (end !== 'killed')
      this.entries.push({ ...this.#base('host1'), ...effect, phase: end })
  }

  fault(fault: string, target: string, phase: Fault['phase'], after?: number): void {
    const base = { ...this.#base('main'), kind: 'fault', fault, target, phase } as const
    this.entries.push(after === undefined ? base : { ...base, after })
  }

  sample(of: string, rss: number, files: number): void {
    this.entries.push({ ...this.#base('main'), kind: 'sample', of, rss, files })
  }

  /** Changes an entry that was written before. */
  changeEntry<Kind extends Entry['kind']>(
    kind: Kind,
    which: (entry: Extract<Entry, { kind: Kind }>) => boolean,
    change: Partial<Extract<Entry, { kind: Kind }>>,
  ): void {
    const i = this.entries.findIndex(
      entry => entry.kind === kind && which(entry as Extract<Entry, { kind: Kind }>),
    )
    if (i < 0) throw new Error('There is no such entry.')
    this.entries[i] = { ...this.entries[i], ...change } as Entry
  }

  /** Changes the end of the operation with this id; the first attempt, or a later one. */
  changeEnd(id: string, change: Partial<Completed>, attempt = 0): void {
    const invoked = this.entries.filter(
      entry => entry.kind === 'invoked' && entry.id === id,
    )
    const op = (invoked[attempt] as Invoked | undefined)?.op
    this.changeEntry('completed', entry => entry.op === op, change)
  }

  /** Changes the commit that holds a command. */
  changeCommit(id: string, change: (commit: CommitLine) => CommitLine): void {
    const i = this.log.findIndex(
      line => line.kind === 'commit' && line.slices.some(slice => slice.id === id),
    )
    if (i < 0) throw new Error(`No commit holds ${id}.`)
    this.log[i] = change(this.log[i] as CommitLine)
  }

  build(): History {
    const { dead, waiting } = this
    this.#handleAll()
    const states = this.#foldAll()
    const entries = this.entries.toSorted((a, b) => a.at - b.at)
    const run = {
      seed: 1,
      place: 'nats' as const,
      minutes: 1,
      namespaces: [namespace, 'b'],
      startedAt: new Date(wallStart).toISOString(),
    }
    const history = { run, namespace, entries, log: this.log, states, dead, waiting }
    return history
  }

  #base(process: string) {
    return { at: ++this.#now, process }
  }

  #handleAll(): void {
    const messages = new Messages(
      this.log.filter(line => line.kind === 'commit'),
      this.log.filter(line => line.kind === 'message'),
    )
    for (const [by, topic] of [
      ['readers', 'notes'],
      ['followers', eventTopicOf('list')],
    ] as const)
      for (const message of messages.on(topic)) {
        const plan = this.plans.get(`${by} ${message.id}`)
        if (plan === undefined) this.handle(by, message, 'done')
        else plan(this, by, message)
      }
  }

  /** Puts a state into every commit, and returns the last ones. */
  #foldAll(): StateLine[] {
    const states = new Map<string, StateLine>()
    for (const [i, line] of this.log.entries()) {
      if (line.kind !== 'commit') continue
      const { actor, lastVersion, events, position } = line
      const fold = foldOf(typeOf(actor))
      const before = states.get(actor)?.state ?? fold?.initial
      const state = events.reduce<unknown>(
        (folded, event) => fold?.evolve(folded, event) ?? folded,
        before,
      )
      const isInline = fold !== undefined && typeOf(actor) !== 'tape'
      const inline = this.inlineStates.get(position) ?? state
      if (isInline) this.log[i] = { ...line, state: inline }
      states.set(actor, { actor, version: lastVersion, state })
    }
    return [...states.values()]
      .filter(({ actor }) => !actor.startsWith('cairn-'))
      .map(line => ({ ...line, ...this.states.get(line.actor) }))
  }
}
