// The commands of a commit of several commands: which events are whose, in the headers and in the body.

import type { BatchedCommand, CommitHeader, NewCommit } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import { checkData } from './data.js'
import { text } from './header-kinds.js'

/** A command in the body: what its headers do not hold. */
export interface BatchedBody {
  reply?: unknown
  digest?: string
  causation?: string
  traceparent?: string
  principal?: string
}

/** The command id of each event. */
export function commandIdsOf(commands: readonly BatchedCommand[]): string[] {
  return perEvent(commands, ({ id }) => id)
}

/** The correlation id of each event, `''` for none; `undefined` if no command has one. */
export function correlationIdsOf(
  commands: readonly BatchedCommand[],
): string[] | undefined {
  return commands.some(one => one.correlationId !== undefined)
    ? perEvent(commands, one => one.correlationId ?? '')
    : undefined
}

function perEvent(
  commands: readonly BatchedCommand[],
  textOf: (command: BatchedCommand) => string,
): string[] {
  return commands.flatMap(command =>
    Array.from({ length: command.events }, () => textOf(command)),
  )
}

export function toBatchedBody({
  reply,
  digest,
  causationId,
  traceparent,
  principal,
}: BatchedCommand): BatchedBody {
  const body: BatchedBody = {}
  if (digest !== undefined) body.digest = digest
  if (reply !== undefined) {
    checkData(reply, 'reply')
    body.reply = reply
  }
  if (causationId !== undefined) body.causation = causationId
  if (traceparent !== undefined) body.traceparent = traceparent
  if (principal !== undefined) body.principal = principal
  return body
}

const causeText = text('id of a command or of its causes')

/** Throws `invalid-option` unless the commands and the events of a commit belong together. */
export function checkBatchedCommands(
  { actor, events, command, outbox, ...causes }: NewCommit,
  commands: readonly BatchedCommand[],
): void {
  const refuse = (why: string): never => {
    throw new CairnError(
      'invalid-option',
      `The commands of a commit of ${actor.type}/${actor.id} are invalid: ${why}.`,
      { details: { commands: commands.length, events: events.length } },
    )
  }
  let count = 0
  for (const [i, { id, events: own, correlationId, ...rest }] of commands.entries()) {
    const { causationId, traceparent, principal } = rest
    for (const value of [id, correlationId, causationId, traceparent, principal])
      if (value !== undefined) causeText.encode(value)
    if (id === '' || id === commands[i - 1]?.id)
      refuse(`command id ${show(id)} is empty, or equal to the one before it`)
    if (!isCount(own) || own < 1)
      refuse(`a command has ${show(own)} events, and needs 1 or more`)
    count += own
  }
  if (count !== events.length)
    refuse(`they have ${count} events, and the commit has ${events.length}`)
  const others = [command, outbox, causes.correlationId, causes.causationId]
  if (
    [...others, causes.traceparent, causes.principal].some(other => other !== undefined)
  )
    refuse('the commit must not have a command, causes or an outbox of its own')
}

/** The commands of a commit of several commands, in order. */
export function toBatchedCommands(
  { correlationIds }: CommitHeader,
  commandIds: readonly string[],
  bodies: readonly BatchedBody[],
): readonly BatchedCommand[] {
  return runsOf(commandIds).map(({ start, count }, i) => {
    const { reply, digest, causation, traceparent, principal } = bodies[i]!
    const correlationId = correlationIds?.[start]
    return {
      id: commandIds[start]!,
      events: count,
      ...(reply !== undefined && { reply }),
      ...(digest !== undefined && { digest }),
      ...(correlationId && { correlationId }),
      ...(causation !== undefined && { causationId: causation }),
      ...(traceparent !== undefined && { traceparent }),
      ...(principal !== undefined && { principal }),
    }
  })
}

/** The start and length of each run of equal texts. */
export function runsOf(texts: readonly string[]): { start: number; count: number }[] {
  const runs: { start: number; count: number }[] = []
  for (const [i, text] of texts.entries()) {
    const run = runs.at(-1)
    if (run !== undefined && texts[run.start] === text) run.count++
    else runs.push({ start: i, count: 1 })
  }
  return runs
}
