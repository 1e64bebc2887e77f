// Commands: asked, stored, and tried without storing anything.

import { detach } from '../../actor/detach.js'
import { whatIf } from '../../actor/what-if.js'
import type { AskOutcome } from '../../model/command-sender.js'
import { defined } from '../../model/defined.js'
import type { AskAnswer } from '../answers.js'
import { count, json, optional, text } from '../fields.js'
import { rejectedProblem } from '../problem.js'
import { type Route, route, Versioned } from '../route.js'
import { anyValue, countSchema, flagSchema, objectOf, textSchema } from '../schema.js'
import { schemaOf } from './schemas.js'
import { actorParams, addressOf, definitionOf, timeoutField } from './shared.js'

const commandParams = { ...actorParams, command: text('The name of the command.', 256) }

const ask = route({
  method: 'post',
  path: '/v1/actors/{type}/{id}/ask/{command}',
  id: 'ask',
  tag: 'commands',
  summary: 'Sends a command to an actor and waits for its outcome.',
  role: 'writer',
  params: commandParams,
  query: timeoutField,
  value: 'The data of the command.',
  isIdempotent: true,
  condition: 'if-match',
  answer: { description: 'The actor has accepted it.', schema: schemaOf('Accepted') },
  problems: {
    404: 'No node hosts the type, or the actor does not know the command.',
    409: 'The actor has rejected it (`rejected`, with `rejection`), is parked, or knows the key with another command.',
    412: 'The actor is at another version than If-Match expects. Nothing was decided; ETag has its version.',
    429: 'It was refused by load.',
    504: 'The outcome is not known: send it again with the same Idempotency-Key.',
  },
  async handle({ params, query, value }, call) {
    const { node, id, signal, causes, conditions } = call
    const { ifMatch } = conditions
    const outcome = await node.ask(addressOf(params), params.command, value, {
      commandId: id,
      timeout: query.timeout,
      signal,
      ...defined({ expectedVersion: ifMatch }),
      ...causes,
    })
    if (ifMatch !== undefined) throwConflict(outcome)
    return new Versioned(outcome.version, acceptedOf(outcome))
  },
})

const send = route({
  method: 'post',
  path: '/v1/actors/{type}/{id}/send/{command}',
  id: 'send',
  tag: 'commands',
  summary:
    'Stores a command for an actor; a node that hosts it handles it, now or later.',
  role: 'writer',
  params: commandParams,
  query: timeoutField,
  value: 'The data of the command.',
  isIdempotent: true,
  answer: {
    description: 'It is stored.',
    schema: objectOf({
      commandId: textSchema,
      position: countSchema,
      duplicate: flagSchema,
    }),
  },
  problems: {
    409: 'The key was used with another command.',
    429: 'It was refused by load.',
    504: 'Whether it is stored is not known: send it again with the same Idempotency-Key.',
  },
  handle: ({ params, query, value }, { node, id, signal, causes }) =>
    node.send(addressOf(params), params.command, value, {
      commandId: id,
      timeout: query.timeout,
      signal,
      ...causes,
    }),
})

const tryCommand = route({
  method: 'post',
  path: '/v1/actors/{type}/{id}/what-if',
  id: 'whatIf',
  tag: 'commands',
  summary:
    'Shows what a command would do to an actor, now or at a version. Stores nothing.',
  role: 'reader',
  params: actorParams,
  body: {
    command: text('The name of the command.', 256),
    data: optional(json('The data of the command.')),
    version: optional(count('The version to try it at. Default: the latest.')),
    now: optional(count('The time of the decision, ms since 1970. Default: now.')),
  },
  answer: {
    description: 'What would be decided: events, or a rejection.',
    schema: objectOf({
      ok: flagSchema,
      version: countSchema,
      state: anyValue,
      'events?': { type: 'array', items: anyValue },
      'outbox?': { type: 'array', items: anyValue },
      'reply?': anyValue,
      'rejection?': anyValue,
    }),
  },
  problems: { 404: 'This node does not host the type, or there is no such version.' },
  async handle({ params, body }, { node, id, signal, causes }) {
    const actor = addressOf(params)
    const definition = definitionOf(node, actor.type)
    const { version, command: type, now = Date.now() } = body
    const at = await node.state(actor, {
      signal,
      ...(version !== undefined && { version }),
    })
    const data = detach(body.data, `data of command "${type}"`)
    const folded = { ...at, position: 0, inlineStateVersion: 0 }
    const command = { id, type, data, ...causes }
    return whatIf(definition, actor, folded, command, { now, nodeId: node.id })
  },
})

/** The conflict of a command with `If-Match`, as HTTP names it. */
function throwConflict(outcome: AskOutcome): void {
  if (!outcome.ok && outcome.rejection.code === 'version-conflict')
    throw rejectedProblem(outcome, true)
}

/** A rejection is an outcome, not an error; over HTTP it is told apart by its status. */
export function acceptedOf(outcome: AskOutcome): AskAnswer {
  if (outcome.ok) return { ...outcome, reply: outcome.reply ?? null }
  throw rejectedProblem(outcome)
}

export const commandRoutes: readonly Route[] = [ask, send, tryCommand]
