// Walking back in batches: the same records as one by one, in fewer reads, whatever the guess.

import t from 'tap'

import { BackwardScan } from '../../src/store/event-store/backward-scan.js'

interface Record {
  readonly position: number
  readonly body: Uint8Array
}

/** Walks an actor with records at these positions back, and says what was read for it. */
async function walk(positions: readonly number[], bytes = 100, depth = Infinity) {
  const records = positions.map(position => ({ position, body: new Uint8Array(bytes) }))
  let singles = 0
  let batches = 0
  let most = 0
  let read = 0
  const newest = positions.at(-1)!
  const way = new BackwardScan<Record>(newest, {
    async one(position) {
      singles++
      return records.find(record => record.position === position)
    },
    async some(from, count) {
      batches++
      const found = records.filter(({ position }) => position >= from).slice(0, count)
      read += found.length
      most = Math.max(most, found.length)
      return found
    },
  })
  const seen: number[] = [newest]
  for (const position of positions.slice(0, -1).toReversed().slice(0, depth)) {
    const record = await way.at(position)
    if (record === undefined) throw new Error(`${position} is not found`)
    seen.push(record.position)
  }
  return { seen, reads: singles + batches, read: read + singles, most }
}

const every = (spacing: number, count: number) =>
  Array.from({ length: count }, (_, i) => 1 + i * spacing)

await t.test('every record comes, newest first, from few reads', async t => {
  for (const spacing of [1, 2, 7, 40]) {
    const positions = every(spacing, 1_024)
    const { seen, reads, most } = await walk(positions)
    t.strictSame(seen, positions.toReversed(), `one in ${spacing}`)
    t.ok(reads < 30, `${reads} reads for 1,024 records`)
    t.ok(most <= 256 + 32)
  }
})

await t.test('who stops early has not read much more than was needed', async t => {
  for (const depth of [1, 2, 4]) {
    const { read, reads } = await walk(every(3, 1_024), 100, depth)
    t.strictSame({ read, reads }, { read: depth, reads: depth }, 'single steps')
  }
  for (const depth of [5, 12, 30, 100, 300]) {
    const { read } = await walk(every(3, 1_024), 100, depth)
    t.ok(read <= 2.5 * depth + 14, `${read} records for ${depth}`)
  }
})

await t.test('a spacing that changes costs some reads, and no record', async t => {
  let state = 7
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  for (let round = 0; round < 20; round++) {
    const positions: number[] = []
    let position = 0
    while (positions.length < 800) {
      const isBurst = random() < 0.5
      const length = Math.ceil(random() * 100)
      for (let i = 0; i < length; i++)
        positions.push((position += isBurst ? 1 : Math.ceil(random() * 60)))
    }
    const { seen, reads } = await walk(positions)
    t.strictSame(seen, positions.toReversed())
    t.ok(reads <= positions.length, `${reads} reads for ${positions.length} records`)
  }
})

await t.test('records that are far apart are read one by one', async t => {
  const positions = every(1_000, 300)
  const { seen, most } = await walk(positions)
  t.strictSame(seen, positions.toReversed())
  t.equal(most, 0, 'no batch')
})

await t.test('large records are read one by one, and hold little', async t => {
  const positions = every(2, 300)
  const large = await walk(positions, 200_000)
  t.strictSame(large.seen, positions.toReversed())
  t.equal(large.most, 0, 'no batch')
  const middling = await walk(positions, 20_000)
  t.strictSame(middling.seen, positions.toReversed())
  t.ok(middling.most * 20_000 <= 1.5 * 1024 * 1024, `${middling.most} at a time`)
})

await t.test('what is gone is not found, and nothing else is taken for it', async t => {
  const reads: number[] = []
  const way = new BackwardScan<Record>(100, {
    async one(position) {
      reads.push(position)
      return undefined
    },
    some: async from => [{ position: from, body: new Uint8Array() }],
  })
  for (const position of [90, 80, 70, 60, 50])
    t.equal(await way.at(position), undefined, `${position}`)
  t.strictSame(reads, [90, 80, 70, 60, 50])
})
