// What a span says of an operation: its name, its kind, and its attributes at the start and at the end.

import { type Attributes, SpanKind } from '@opentelemetry/api'

import type { ActorAddress } from '../model/address.js'
import type {
  AskTrace,
  CommandTrace,
  DecideTrace,
  DeliverTrace,
  SendTrace,
  TimerTrace,
  TraceContext,
  TraceContexts,
  TraceName,
} from '../model/trace.js'
import { conventions as names, own, system } from './conventions.js'

export interface SpanOf<Context extends TraceContext> {
  readonly kind: SpanKind
  /** Whether the active span of the process may be its parent: the operation is called by the application. */
  readonly isCalled: boolean
  name(context: Context): string
  attributes(context: Context): Attributes
}

/** For each channel. */
export const spans: { readonly [Name in TraceName]: SpanOf<TraceContexts[Name]> } = {
  'cairn:ask': {
    kind: SpanKind.CLIENT,
    isCalled: true,
    name: ({ method, actor, command }) => `${method} ${methodOf(actor, command)}`,
    attributes: context => ({ ...rpcOf(context), ...commandOf(context) }),
  },
  'cairn:command': {
    kind: SpanKind.SERVER,
    isCalled: false,
    name: ({ actor, command }) => `command ${methodOf(actor, command)}`,
    attributes: context => ({ ...rpcOf(context), ...commandOf(context) }),
  },
  'cairn:decide': {
    kind: SpanKind.INTERNAL,
    isCalled: false,
    name: ({ actor, command }) => `decide ${methodOf(actor, command)}`,
    attributes: context => ({ ...commandOf(context), [own.version]: context.version }),
  },
  'cairn:commit': {
    kind: SpanKind.CLIENT,
    isCalled: false,
    name: ({ actors }) => `commit ${typesOf(actors).join(' ')}`,
    attributes: ({ namespace, actors, events, transactionId }) => ({
      [names.DB_SYSTEM_NAME]: system,
      [names.DB_NAMESPACE]: namespace,
      [names.DB_OPERATION_NAME]: 'commit',
      [names.DB_COLLECTION_NAME]: typesOf(actors).join(' '),
      // By the conventions, a batch has at least two.
      [names.DB_OPERATION_BATCH_SIZE]: actors.length > 1 ? actors.length : undefined,
      [own.actorId]: actors.length === 1 ? actors[0]!.id : undefined,
      [own.events]: events,
      [own.transaction]: transactionId,
    }),
  },
  'cairn:transaction': {
    kind: SpanKind.INTERNAL,
    isCalled: true,
    name: () => 'transaction',
    attributes: ({ transactionId }) => ({ [own.transaction]: transactionId }),
  },
  'cairn:send': {
    kind: SpanKind.PRODUCER,
    isCalled: true,
    name: ({ actor }) => `send ${actor.type}`,
    attributes: context => ({
      ...sentOf(context, 'send', 'send'),
      ...commandOf(context),
    }),
  },
  'cairn:publish': {
    kind: SpanKind.PRODUCER,
    isCalled: true,
    name: ({ topic }) => `publish ${topic}`,
    attributes: ({ topic, messageId, correlationId }) => ({
      [names.MESSAGING_SYSTEM_NAME]: system,
      [names.MESSAGING_OPERATION_NAME]: 'publish',
      [names.MESSAGING_OPERATION_TYPE]: 'send',
      [names.MESSAGING_DESTINATION_NAME]: topic,
      [names.MESSAGING_MESSAGE_ID]: messageId,
      [names.MESSAGING_MESSAGE_CONVERSATION_ID]: correlationId,
    }),
  },
  'cairn:deliver': {
    kind: SpanKind.CONSUMER,
    isCalled: false,
    name: ({ actor }) => `deliver ${actor.type}`,
    attributes: context => deliveredOf(context, 'deliver'),
  },
  'cairn:timer': {
    kind: SpanKind.CONSUMER,
    isCalled: false,
    name: ({ actor }) => `timer ${actor.type}`,
    attributes: context => ({
      ...deliveredOf(context, 'timer'),
      [own.timer]: context.timer,
    }),
  },
  'cairn:handle': {
    kind: SpanKind.CONSUMER,
    isCalled: false,
    name: ({ topic }) => `handle ${topic}`,
    attributes: ({ group, topic, messageId, correlationId, attempt }) => ({
      [names.MESSAGING_SYSTEM_NAME]: system,
      [names.MESSAGING_OPERATION_NAME]: 'handle',
      [names.MESSAGING_OPERATION_TYPE]: 'process',
      [names.MESSAGING_DESTINATION_NAME]: topic,
      [names.MESSAGING_CONSUMER_GROUP_NAME]: group,
      [names.MESSAGING_MESSAGE_ID]: messageId,
      [names.MESSAGING_MESSAGE_CONVERSATION_ID]: correlationId,
      [own.attempt]: attempt,
    }),
  },
}

/** Of the result: only what is there. */
export function resultAttributes(result: unknown): Attributes {
  if (typeof result !== 'object' || result === null) return {}
  const { version, position, duplicate, commandId, rejection } = result as {
    readonly [name: string]: unknown
  }
  const code = (rejection as { readonly code?: unknown } | undefined)?.code
  return {
    [own.version]: typeof version === 'number' ? version : undefined,
    [own.position]: typeof position === 'number' ? position : undefined,
    [own.duplicate]: duplicate === true ? true : undefined,
    [own.commandId]: typeof commandId === 'string' ? commandId : undefined,
    [own.rejection]: typeof code === 'string' ? code : undefined,
  }
}

type CommandContext = AskTrace | CommandTrace | DecideTrace | SendTrace | DeliverTrace

function methodOf({ type }: ActorAddress, command: string): string {
  return `${type}/${command}`
}

function typesOf(actors: readonly ActorAddress[]): string[] {
  return [...new Set(actors.map(({ type }) => type))]
}

function rpcOf({ actor, command }: CommandContext): Attributes {
  return {
    [names.RPC_SYSTEM_NAME]: system,
    [names.RPC_METHOD]: methodOf(actor, command),
  }
}

function commandOf({
  actor,
  command,
  commandId,
  correlationId,
}: CommandContext): Attributes {
  return {
    [own.actorType]: actor.type,
    [own.actorId]: actor.id,
    [own.command]: command,
    [own.commandId]: commandId,
    [own.correlationId]: correlationId,
  }
}

function sentOf(
  { actor, commandId, correlationId }: SendTrace | DeliverTrace,
  name: string,
  type: 'send' | 'process',
): Attributes {
  return {
    [names.MESSAGING_SYSTEM_NAME]: system,
    [names.MESSAGING_OPERATION_NAME]: name,
    [names.MESSAGING_OPERATION_TYPE]: type,
    [names.MESSAGING_DESTINATION_NAME]: actor.type,
    [names.MESSAGING_MESSAGE_ID]: commandId,
    [names.MESSAGING_MESSAGE_CONVERSATION_ID]: correlationId,
  }
}

function deliveredOf(context: DeliverTrace | TimerTrace, name: string): Attributes {
  return {
    ...sentOf(context, name, 'process'),
    ...commandOf(context),
    [names.MESSAGING_CONSUMER_GROUP_NAME]: context.group,
    [own.attempt]: context.attempt,
  }
}
