// Protobuf messages of TypeScript code (protobuf-es): topics that carry them, and commands and events that contain them.

import {
  create,
  type DescMessage,
  fromBinary,
  getOption,
  hasOption,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { CairnError, defineTopic, type StandardSchema, type Topic } from 'cairn-es'

import { topic as topicOption } from '../gen/cairn/v1/options_pb.js'
import { isStoredProtobuf, type StoredProtobuf, storedProtobuf } from './stored.js'

/**
 * The topic of a message type, named by its option `(cairn.v1.topic)`:
 *
 * ```proto
 * message TripCompleted {
 *   option (cairn.v1.topic) = { name: "trips.completed" };
 *   string trip_id = 1;
 * }
 * ```
 *
 * It is published with the fields of a message; what is stored has the type's name and the bytes, which {@link unpack}
 * reads. Throws `invalid-definition` for a type without the option.
 */
export function protobufTopic<Desc extends DescMessage>(
  desc: Desc,
): Topic<MessageInitShape<Desc>, StoredProtobuf> {
  const { name = '', version = 0 } = hasOption(desc, topicOption)
    ? getOption(desc, topicOption)
    : {}
  if (name === '')
    throw new CairnError(
      'invalid-definition',
      `Message ${desc.typeName} has no topic: add option (cairn.v1.topic) = { name: "…" } to it, or define the topic ` +
        'with defineTopic.',
      { details: { type: desc.typeName } },
    )
  return defineTopic(name, { schema: protobufSchema(desc), version: version || 1 })
}

/** A Standard Schema: takes the fields of a message, and returns what is stored of it. */
export function protobufSchema<Desc extends DescMessage>(
  desc: Desc,
): StandardSchema<MessageInitShape<Desc>, StoredProtobuf> {
  return {
    '~standard': {
      version: 1,
      vendor: 'protobuf',
      validate(value) {
        try {
          return { value: pack(desc, value as MessageInitShape<Desc>) }
        } catch (error) {
          const { message } = error as Error
          return { issues: [{ message: `it is no ${desc.typeName}: ${message}` }] }
        }
      },
    },
  }
}

/** What is stored of a message: in events, in data of commands, in states. */
export function pack<Desc extends DescMessage>(
  desc: Desc,
  fields: MessageInitShape<Desc>,
): StoredProtobuf {
  return storedProtobuf(desc.typeName, toBinary(desc, create(desc, fields)))
}

/**
 * The message in a stored value. Fields of later versions of the type are kept, and are written again by `toBinary`.
 * Throws `invalid-data` for a value of another type.
 */
export function unpack<Desc extends DescMessage>(
  desc: Desc,
  value: unknown,
): MessageShape<Desc> {
  if (!isStoredProtobuf(value) || value['@type'] !== desc.typeName)
    throw new CairnError(
      'invalid-data',
      `The value is ${isStoredProtobuf(value) ? `a ${value['@type']}` : 'no stored protobuf message'}, and ` +
        `${desc.typeName} is wanted: look at its @type before you unpack it.`,
      { details: { wanted: desc.typeName } },
    )
  return fromBinary(desc, value.bytes)
}
