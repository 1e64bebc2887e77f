// Reports of children to their machine: as commands, and as the events that XState makes of them.
//
// A report carries the child's key. A report of a child that the machine has stopped or started again is rejected.

import type { EventObject } from 'xstate'

import type { ChildEnd } from '../model/child.js'
import { messageOf } from '../model/errors.js'
import { describeThrown, propertyOf } from '../model/thrown.js'
import type { MachineChild, MachineState } from './types.js'

const kinds = ['done.actor', 'error.actor', 'snapshot'] as const
type Kind = (typeof kinds)[number]

/** A child's report, as it is stored. */
interface ChildReport {
  readonly key: string
  readonly output?: unknown
  readonly error?: unknown
  readonly snapshot?: unknown
}

export interface ChildEvent {
  readonly event: EventObject
  /**
   * The path of the receiving machine: child ids, starting at the actor's machine (empty: that machine itself).
   * `undefined` if the child that reports was stopped or started again.
   */
  readonly path: readonly string[] | undefined
  /** The child, when it has ended. */
  readonly ended?: string
  /** Whether it comes from a child machine. Such an event is valid only while its parent's event is folded. */
  readonly isFromChildMachine: boolean
}

/** The event that hands an event to a child machine from outside its parent. */
export const childEventType = 'xstate.child'

/** The child's report in a command or stored event; `undefined` for any other event. */
export function childEvent(
  type: string,
  data: unknown,
  state: MachineState,
): ChildEvent | undefined {
  const kind = kinds.find(one => type.startsWith(`xstate.${one}.`))
  const isReport = typeof data === 'object' && data !== null && 'key' in data
  if (!isReport) return undefined
  if (type === childEventType) {
    const { key, event } = data as { readonly key: string; readonly event?: unknown }
    if (!isEvent(event)) return undefined
    return { event, path: pathTo(key, state), isFromChildMachine: false }
  }
  if (kind === undefined) return undefined
  const report = data as ChildReport
  const child = type.slice(`xstate.${kind}.`.length)
  const path = pathTo(report.key, state)
  const isCurrent = path?.at(-1) === child
  const sender = path && childAt(state, path)
  return {
    event: eventOf(kind, type, child, report),
    path: isCurrent ? path?.slice(0, -1) : undefined,
    ...(kind !== 'snapshot' && { ended: child }),
    isFromChildMachine: sender?.state !== undefined,
  }
}

function isEvent(value: unknown): value is EventObject {
  const isObject = typeof value === 'object' && value !== null && 'type' in value
  return isObject && typeof value.type === 'string'
}

function childAt(
  { children }: MachineState,
  [id, ...rest]: readonly string[],
): MachineChild | undefined {
  const child = id === undefined ? undefined : children?.[id]
  if (rest.length === 0) return child
  return child?.state && childAt(child.state, rest)
}

/** The path to the child with a key. */
function pathTo(key: string, { children = {} }: MachineState): string[] | undefined {
  for (const [id, child] of Object.entries(children)) {
    if (child.key === key) return [id]
    const rest = child.state && pathTo(key, child.state)
    if (rest !== undefined) return [id, ...rest]
  }
  return undefined
}

function eventOf(
  kind: Kind,
  type: string,
  actorId: string,
  report: ChildReport,
): EventObject {
  const { output, error, snapshot } = report
  if (kind === 'snapshot') return { type, snapshot } as EventObject
  const end = kind === 'done.actor' ? { output } : { error }
  const event: EventObject & { actorId: string } = { type, ...end, actorId }
  return event
}

/** The end of a child, as a command. */
export function endOf(event: EventObject, child: string, key: string): ChildEnd {
  const { output, error } = event as {
    readonly output?: unknown
    readonly error?: unknown
  }
  const failed = (why: unknown): ChildEnd => ({
    command: `xstate.error.actor.${child}`,
    data: { key, error: plainError(why) },
  })
  if (event.type !== `xstate.done.actor.${child}`) return failed(error)
  const data = { key, ...(output !== undefined && { output }) }
  return { command: event.type, data, instead: failed }
}

/** An error as plain data: its name, message, and code where it has one. */
export function plainError(error: unknown): unknown {
  const isSimple = typeof error !== 'object' && typeof error !== 'function'
  if (typeof error === 'string' || typeof error === 'symbol') return messageOf(error)
  if (isSimple || error === null) return error
  const { name, message } = describeThrown(error)
  const code = propertyOf(error, 'code')
  const isCode = typeof code === 'string' || typeof code === 'number'
  return { name, message, ...(isCode && { code }) }
}

/** The part of a child's snapshot that its machine sees. */
export function snapshotOf(snapshot: unknown): object {
  const { status, context, output } = snapshot as Record<string, unknown>
  return {
    status,
    ...(context !== undefined && { context }),
    ...(output !== undefined && { output }),
  }
}
