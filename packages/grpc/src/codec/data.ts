// Values ⇄ the contract's Data.
//
// A value that JSON has exactly is JSON, so that any client reads it; every other one is MessagePack, as in the log. A
// protobuf message is kept by its type's name and its bytes (protobuf/stored.ts).

import { create, fromJson, type JsonValue, toJson } from '@bufbuild/protobuf'
import { AnySchema, ValueSchema } from '@bufbuild/protobuf/wkt'
import { CairnError } from 'cairn-es'
import { decodeValue, encodeValue } from 'cairn-es/store'

import { type Data, DataSchema } from '../gen/cairn/v1/data_pb.js'
import { isStoredProtobuf, storedProtobuf } from '../protobuf/stored.js'

/** `undefined` is no Data. */
export function toData(value: unknown): Data | undefined {
  if (value === undefined) return undefined
  if (isStoredProtobuf(value)) {
    const any = create(AnySchema, {
      typeUrl: `type.googleapis.com/${value['@type']}`,
      value: value.bytes,
    })
    return create(DataSchema, { kind: { case: 'protobuf', value: any } })
  }
  if (isExactlyJson(value, 0))
    return create(DataSchema, {
      kind: { case: 'json', value: fromJson(ValueSchema, value) },
    })
  return create(DataSchema, {
    kind: { case: 'msgpack', value: ownBytes(encodeValue(value)) },
  })
}

/** The same as a property of a message, absent for `undefined`. */
export function dataField<Name extends string>(
  name: Name,
  value: unknown,
): { readonly [Key in Name]?: Data } {
  const data = toData(value)
  return (data === undefined ? {} : { [name]: data }) as { readonly [Key in Name]?: Data }
}

/** Throws `invalid-data`. */
export function fromData(data: Data | undefined): unknown {
  if (data === undefined) return undefined
  const { kind } = data
  switch (kind.case) {
    case 'json':
      return toJson(ValueSchema, kind.value)
    case 'protobuf': {
      const { typeUrl, value } = kind.value
      return storedProtobuf(typeUrl.slice(typeUrl.lastIndexOf('/') + 1), value)
    }
    case 'msgpack':
      try {
        return decodeValue(kind.value)
      } catch (cause) {
        throw new CairnError(
          'invalid-data',
          'Data in msgpack is not one MessagePack value: pack the value as docs/wire-format.md describes, or send json.',
          { cause },
        )
      }
    case undefined:
      return undefined
  }
}

const depthMax = 90

/** Whether a value is read from JSON as it was written. */
function isExactlyJson(value: unknown, depth: number): value is JsonValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth === depthMax) return false
  if (Array.isArray(value)) return value.every(item => isExactlyJson(item, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype) return false
  for (const key in value)
    if (!isExactlyJson((value as Record<string, unknown>)[key], depth + 1)) return false
  return true
}

/** Bytes in a buffer of their own: msgpackr hands out parts of one that it uses again. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}
