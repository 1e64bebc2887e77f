// Commands to actors, over the door.

import { create } from '@bufbuild/protobuf'
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect'
import type { AskOutcome, Node } from 'cairn-es'

import { dataField, fromData } from '../codec/data.js'
import { countOf, defined, fromActor, fromCauses } from '../codec/records.js'
import * as pb from '../gen/cairn/v1/actors_pb.js'
import { boundsOf } from './calls.js'
import { principalOf } from './login.js'

/** @param nodeOf the node of this process that a plugin decides a type's actors on, if there is one */
export function actorsService(
  node: Node,
  nodeOf: (type: string) => Node | undefined,
): ServiceImpl<typeof pb.ActorsService> {
  return {
    async ask(request, context) {
      const { actor, command, data, expectedVersion } = request
      const options = {
        ...optionsOf(request),
        ...callOf(context),
        ...(expectedVersion !== undefined && {
          expectedVersion: countOf(expectedVersion),
        }),
      }
      const outcome = await node.ask(fromActor(actor), command, fromData(data), options)
      return { outcome: toOutcome(outcome) }
    },

    async send(request, context) {
      const { actor, command, data } = request
      const options = { ...optionsOf(request), ...callOf(context) }
      const { commandId, position, duplicate } = await node.send(
        fromActor(actor),
        command,
        fromData(data),
        options,
      )
      return { commandId, position: BigInt(position), duplicate }
    },

    async state({ actor, version }, context) {
      const address = fromActor(actor)
      const reading = await (nodeOf(address.type) ?? node).state(address, {
        ...boundsOf(context),
        ...defined({ version: version === undefined ? undefined : countOf(version) }),
      })
      return { version: BigInt(reading.version), ...dataField('state', reading.state) }
    },
  }
}

function callOf(context: HandlerContext) {
  return { ...boundsOf(context), ...principalOf(context) }
}

function optionsOf({ commandId, causes }: pb.AskRequest | pb.SendRequest) {
  return { ...defined({ commandId: commandId || undefined }), ...fromCauses(causes) }
}

function toOutcome(outcome: AskOutcome): pb.AskResponse['outcome'] {
  const { version, commandId, correlationId } = outcome
  const common = { version: BigInt(version), commandId, correlationId }
  if (outcome.ok) {
    const { position, reply, duplicate, outboxIds = [] } = outcome
    const value = create(pb.AcceptedSchema, {
      ...common,
      position: BigInt(position),
      duplicate,
      outboxIds: [...outboxIds],
      ...dataField('reply', reply),
    })
    return { case: 'accepted', value }
  }
  const { code, message, details } = outcome.rejection
  const value = create(pb.RejectedSchema, {
    ...common,
    code,
    message,
    ...dataField('details', details),
  })
  return { case: 'rejected', value }
}
