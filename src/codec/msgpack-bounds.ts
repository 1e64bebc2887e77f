// Bounds of MessagePack that comes from outside, checked before it is decoded.
//
// A few bytes can claim a list of four billion items, or nest deeper than any reader can follow. The decoder would make
// room for the list first, and fail then.
//
// MSGPACK-BOUNDS-1. What is claimed is there: each value takes a byte at least, so the values that are claimed and not yet
//     seen are never more than the bytes that are left.
// MSGPACK-BOUNDS-2. Nesting is bounded. `checkData` allows less than this bound, and what surrounds data in a record takes
//     the rest.
// MSGPACK-BOUNDS-3. Of extensions only those that `encode` writes are read: others would be values of classes.

const depthMax = 128

/** Of extensions: undefined, typed arrays and Buffers, dates. */
const extensionsKnown = [0x00, 0x74, 0xff]

/** Values that are left in each list or map around the one that is read. One check runs at a time. */
const left = new Float64Array(depthMax + 1)

/** Throws unless the bytes are one MessagePack value within the bounds. */
export function checkMsgpackBounds(bytes: Uint8Array): void {
  const end = bytes.length
  let at = 0
  let depth = 0
  /** Values that were claimed and are not seen yet, at all depths. */
  let claimed = 1
  left[0] = 1
  while (claimed > 0) {
    while (left[depth] === 0) depth--
    if (at >= end) throw new Error('it ends within a value')
    left[depth]!--
    claimed--
    const first = bytes[at++]!
    let inner = 0
    if (first < 0x80 || first >= 0xe0) continue
    else if (first < 0x90) inner = 2 * (first & 0x0f)
    else if (first < 0xa0) inner = first & 0x0f
    else if (first < 0xc0) at += first & 0x1f
    else
      switch (first) {
        case 0xc0: // nil
        case 0xc2: // false
        case 0xc3: // true
          break
        case 0xc4: // bin
        case 0xd9: // str
          at += 1 + sizeAt(bytes, at, 1)
          break
        case 0xc5:
        case 0xda:
          at += 2 + sizeAt(bytes, at, 2)
          break
        case 0xc6:
        case 0xdb:
          at += 4 + sizeAt(bytes, at, 4)
          break
        case 0xc7: // ext
        case 0xc8:
        case 0xc9: {
          const sizeBytes = 1 << (first - 0xc7)
          const size = sizeAt(bytes, at, sizeBytes)
          checkExtension(bytes[at + sizeBytes])
          at += sizeBytes + 1 + size
          break
        }
        case 0xca: // float
        case 0xce: // uint
        case 0xd2: // int
          at += 4
          break
        case 0xcb:
        case 0xcf:
        case 0xd3:
          at += 8
          break
        case 0xcc:
        case 0xd0:
          at += 1
          break
        case 0xcd:
        case 0xd1:
          at += 2
          break
        case 0xd4: // fixext
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
          checkExtension(bytes[at])
          at += 1 + (1 << (first - 0xd4))
          break
        case 0xdc: // array
        case 0xdd: {
          const sizeBytes = first === 0xdc ? 2 : 4
          inner = sizeAt(bytes, at, sizeBytes)
          at += sizeBytes
          break
        }
        case 0xde: // map
        case 0xdf: {
          const sizeBytes = first === 0xde ? 2 : 4
          inner = 2 * sizeAt(bytes, at, sizeBytes)
          at += sizeBytes
          break
        }
        default:
          throw new Error(`it has byte ${first}, which begins no value, at ${at - 1}`)
      }
    if (inner > 0) {
      if (++depth > depthMax)
        throw new Error(`it is nested deeper than ${depthMax} levels`)
      left[depth] = inner
      claimed += inner
    }
    if (claimed > end - at)
      throw new Error(
        at > end
          ? 'it ends within a value'
          : `it claims ${claimed} more values, and has ${end - at} more bytes`,
      )
  }
  if (at !== end) throw new Error(`it goes on for ${end - at} bytes after its value`)
}

function sizeAt(bytes: Uint8Array, at: number, count: number): number {
  let size = 0
  for (let i = 0; i < count; i++) size = size * 256 + (bytes[at + i] ?? 0)
  return size
}

function checkExtension(type: number | undefined): void {
  if (type !== undefined && !extensionsKnown.includes(type))
    throw new Error(`it has a value of extension ${type}, which Cairn does not write`)
}
