// Appends the commit of one command, or of a batch of commands, on behalf of the calls that wait for it.

import { isCairnError } from '../model/errors.js'
import type { NewEvent } from '../model/event.js'
import { type CommitTrace, commitTraces, trace } from '../model/trace.js'
import type { AppendOptions, AppendResult } from '../store/event-store/event-store.js'
import type { ActorSubject } from './actor-ports.js'
import { type OpenCall, SharedAppend } from './call.js'
import type { CommandBatch } from './command-batch.js'
import type { Writable } from '../model/writable.js'

/** The result of the append of a batch; `separate` if one of its commands kept it from being stored. */
export type BatchResult = AppendResult | 'separate'

/** Appends the events of one command. The caller ends the storing of the call. */
export function appendSingle(
  subject: ActorSubject,
  call: OpenCall,
  events: readonly NewEvent[],
  options: Writable<AppendOptions>,
): Promise<AppendResult> {
  call.beginStoring()
  options.signal = call.signal
  options.timeout = call.timeLeft
  return append(subject, events, options)
}

/** Appends again without the inline state if that made the commit too large; throws `error` otherwise. */
export async function appendWithoutState(
  subject: ActorSubject,
  call: OpenCall,
  events: readonly NewEvent[],
  { state, ...options }: AppendOptions,
  error: unknown,
): Promise<AppendResult> {
  try {
    // The inline state only saves reads: a command must not fail because of it.
    if (state === undefined || !isCairnError(error, 'commit-too-large')) throw error
    const bare = { ...options, timeout: call.timeLeft }
    return await append(subject, events, bare)
  } catch (failure) {
    // Nothing was written: throw the reason for giving up instead.
    if (isCairnError(failure, 'aborted')) call.check()
    throw failure
  }
}

/**
 * Appends a batch.
 * @param calls those of the commands that store events; the first one is processed now
 * @param onBegin gets the append that the calls share, and `undefined` when it has ended
 */
export async function appendBatch(
  subject: ActorSubject,
  calls: readonly OpenCall[],
  batch: CommandBatch,
  options: Writable<AppendOptions>,
  onBegin: (shared: SharedAppend | undefined) => void,
): Promise<BatchResult> {
  const shared = new SharedAppend(calls.length)
  try {
    try {
      for (const call of calls) call.beginStoring(shared)
    } catch {
      return 'separate' // One of the calls was just given up.
    }
    onBegin(shared)
    options.commands = batch.commands
    options.signal = shared.signal
    options.timeout = Math.max(...calls.map(({ timeLeft }) => timeLeft))
    return await append(subject, batch.events, options)
  } catch (error) {
    if (isCairnError(error) && singleCommandErrors.has(error.code)) return 'separate'
    // Nothing was written: throw the reason for giving up instead.
    if (isCairnError(error, 'aborted')) calls[0]!.check()
    throw error
  } finally {
    onBegin(undefined)
    for (const call of calls) call.endStoring()
  }
}

function append(
  { address, ports }: ActorSubject,
  events: readonly NewEvent[],
  options: AppendOptions,
): Promise<AppendResult> {
  if (!commitTraces.hasSubscribers) return ports.store.append(address, events, options)
  const { namespace, nodeId } = ports
  const traceparents = options.commands?.flatMap(({ traceparent = [] }) => traceparent)
  const context: CommitTrace = {
    namespace,
    nodeId,
    actors: [address],
    events: events.length,
    traceparents,
    traceparent: options.traceparent ?? traceparents?.[0],
  }
  return trace(commitTraces, context, () => ports.store.append(address, events, options))
}

/** Errors that one command of a batch can cause. Nothing was written. */
const singleCommandErrors: ReadonlySet<string> = new Set([
  'invalid-event',
  'invalid-data',
  'invalid-option',
  'commit-too-large',
])
