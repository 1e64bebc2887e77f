// Mutations of bytes: of valid input, input that is nearly valid. Plain, without steering, and replayed by a seed.

/** A source of numbers from 0 to below `limit`. */
export type Random = (limit: number) => number

export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return limit => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

/** Bytes at which readers branch: lengths, kinds of MessagePack, quotes and brackets. */
const interesting = Buffer.from([
  0, 1, 0x7f, 0x80, 0x90, 0x91, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xc9, 0xcb, 0xcf,
  0xd4, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff, 0x22, 0x25, 0x2a, 0x2c, 0x2d,
  0x3a, 0x5b, 0x7b, 0x0a,
])
const sizeMax = 64 * 1024

/** One to eight changes of a seed; `others` are spliced in. */
export function mutate(
  seed: Uint8Array,
  others: readonly Uint8Array[],
  random: Random,
): Buffer {
  let bytes = Buffer.from(seed)
  for (let left = 1 + random(8); left > 0; left--) bytes = change(bytes, others, random)
  return bytes.subarray(0, sizeMax)
}

function change(
  bytes: Buffer,
  others: readonly Uint8Array[],
  random: Random,
): Buffer<ArrayBuffer> {
  const at = random(bytes.length + 1)
  const to = Math.min(bytes.length, at + 1 + random(random(4) === 0 ? 64 : 4))
  const [before, part, after] = [
    bytes.subarray(0, at),
    Buffer.from(bytes.subarray(at, to)),
    bytes.subarray(to),
  ]
  switch (random(8)) {
    case 0: // Flip a bit.
      if (part.length > 0) part[0]! ^= 1 << random(8)
      return Buffer.concat([before, part, after])
    case 1:
      part.fill(interesting[random(interesting.length)]!)
      return Buffer.concat([before, part, after])
    case 2:
      for (let i = 0; i < part.length; i++) part[i] = random(256)
      return Buffer.concat([before, part, after])
    case 3: // Remove.
      return Buffer.concat([before, after])
    case 4: // Repeat.
      return Buffer.concat([
        before,
        ...Array.from({ length: 1 + random(random(8) === 0 ? 500 : 4) }, () => part),
        after,
      ])
    case 5: // End early.
      return Buffer.from(before)
    case 6: {
      const other = others[random(others.length)]!
      const from = random(other.length + 1)
      return Buffer.concat([before, other.subarray(from, from + 1 + random(64)), after])
    }
    default:
      return Buffer.concat([
        before,
        Buffer.from([interesting[random(interesting.length)]!]),
        part,
        after,
      ])
  }
}
