// A protobuf message as it is stored: self-describing, by the name of its type. Its fields evolve by protobuf's rules, as
// the bytes have their numbers.

/** What the log has for a protobuf message. */
export interface StoredProtobuf {
  /** The full name of the message's type. */
  readonly '@type': string
  readonly bytes: Uint8Array
}

export function storedProtobuf(typeName: string, bytes: Uint8Array): StoredProtobuf {
  return { '@type': typeName, bytes: new Uint8Array(bytes) }
}

/** Whether a value is a stored protobuf message: it has these two properties, and no other. */
export function isStoredProtobuf(value: unknown): value is StoredProtobuf {
  if (typeof value !== 'object' || value === null) return false
  if (!('@type' in value && 'bytes' in value)) return false
  return (
    typeof value['@type'] === 'string' &&
    value.bytes instanceof Uint8Array &&
    // A Buffer is read as a Buffer.
    Object.getPrototypeOf(value.bytes) === Uint8Array.prototype &&
    Object.keys(value).length === 2
  )
}
