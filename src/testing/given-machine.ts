// What is different in the specification of a machine: its first event, and the marks in its events' metadata.

import type { AnyActorDefinition } from '../actor/definition.js'
import { event } from '../actor/event.js'
import { init, definitionMark } from '../machine/steps.js'
import { timerMetadata } from '../machine/timers.js'
import { CairnError } from '../model/errors.js'
import type { NewEvent } from '../model/event.js'

interface AnyMachineDefinition extends AnyActorDefinition {
  readonly machine: unknown
  readonly matches: (state: unknown, value: unknown) => boolean
}

export function isMachineDefinition(
  definition: AnyActorDefinition,
): definition is AnyMachineDefinition {
  return 'machine' in definition
}

/**
 * The events that are given, as they are stored: a machine's begin with `xstate.init`, and are of its present version unless
 * they say otherwise.
 */
export function historyOf(
  definition: AnyActorDefinition,
  events: readonly NewEvent[],
  input: unknown,
): readonly NewEvent[] {
  const isMachine = isMachineDefinition(definition)
  const isBegun = events[0]?.type === init
  if (input !== undefined && (!isMachine || isBegun))
    throw new CairnError(
      'invalid-option',
      isMachine
        ? `given(${definition.type}) has an input, and its events begin with ${init}: use one of the two.`
        : `given(${definition.type}) has an input, and only machines start with one: give the events instead.`,
    )
  if (!isMachine) return events
  const begun = input === undefined ? events : [event(init, { input }), ...events]
  const { version } = definition.behavior
  return version === 1 ? begun : begun.map(one => ofVersion(one, version))
}

function ofVersion(given: NewEvent, version: number): NewEvent {
  const { type, data, metadata = {} } = given
  if (metadata[definitionMark] !== undefined) return given
  return { type, data, metadata: { ...metadata, [definitionMark]: `${version}` } }
}

/** An event of a machine without its marks: the version of the definition, and the timer that it comes from. */
export function withoutMarks({ type, data, metadata }: NewEvent): NewEvent {
  if (metadata === undefined) return { type, data }
  const { [definitionMark]: _, [timerMetadata]: __, ...own } = metadata
  return Object.keys(own).length === 0 ? { type, data } : { type, data, metadata: own }
}
