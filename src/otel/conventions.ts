// The names of attributes: those of OpenTelemetry's semantic conventions 1.45 for messaging, databases and RPC, and
// those of Cairn. A test compares the former with @opentelemetry/semantic-conventions.

export const conventions = {
  ERROR_TYPE: 'error.type',
  DB_SYSTEM_NAME: 'db.system.name',
  DB_NAMESPACE: 'db.namespace',
  DB_COLLECTION_NAME: 'db.collection.name',
  DB_OPERATION_NAME: 'db.operation.name',
  DB_OPERATION_BATCH_SIZE: 'db.operation.batch.size',
  MESSAGING_SYSTEM_NAME: 'messaging.system.name',
  MESSAGING_OPERATION_NAME: 'messaging.operation.name',
  MESSAGING_OPERATION_TYPE: 'messaging.operation.type',
  MESSAGING_DESTINATION_NAME: 'messaging.destination.name',
  MESSAGING_CONSUMER_GROUP_NAME: 'messaging.consumer.group.name',
  MESSAGING_MESSAGE_ID: 'messaging.message.id',
  MESSAGING_MESSAGE_CONVERSATION_ID: 'messaging.message.conversation_id',
  RPC_SYSTEM_NAME: 'rpc.system.name',
  RPC_METHOD: 'rpc.method',
} as const

export const own = {
  namespace: 'cairn.namespace',
  node: 'cairn.node.id',
  actorType: 'cairn.actor.type',
  actorId: 'cairn.actor.id',
  command: 'cairn.command.type',
  commandId: 'cairn.command.id',
  correlationId: 'cairn.correlation.id',
  attempt: 'cairn.attempt',
  timer: 'cairn.timer.name',
  events: 'cairn.events',
  version: 'cairn.version',
  position: 'cairn.position',
  duplicate: 'cairn.duplicate',
  rejection: 'cairn.rejection.code',
  transaction: 'cairn.transaction.id',
} as const

/** The value of `db.system.name`, `messaging.system.name` and `rpc.system.name`. */
export const system = 'cairn'
