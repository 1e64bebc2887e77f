// A backward scan in batches returns the same records as single reads, with fewer reads.

import t from 'tap'

import { BackwardScan } from '../../src/store/event-store/backward-scan.js'

interface Record {
  readonly position: number
  readonly body: Uint8Array
}

/** Scans an actor with records at these positions backwards; returns the records and the reads. */
async function scanBack(positions: readonly number[], bytes = 100, depth = Infinity) {
  const records = positions.map(position => ({ position, body: new Uint8Array(bytes) }))
  let singles = 0
  let batches = 0
  let most = 0
  let read = 0
  const newest = positions.at(-1)!
  const scan = new BackwardScan<Record>(newest, {
    async readOne(position) {
      singles++
      return records.find(record => record.position === position)
    },
    async readSome(from, count) {
      batches++
      const found = records.filter(({ position }) => position >= from).slice(0, count)
      read += found.length
      most = Math.max(most, found.length)
      return found
    },
  })
  const seen: number[] = [newest]
  for (const position of positions.slice(0, -1).toReversed().slice(0, depth)) {
    const record = await scan.at(position)
    if (record === undefined) throw new Error(`${position} is not found`)
    seen.push(record.position)
  }
  return { seen, reads: singles + batches, read: read + singles, most }
}

const every = (spacing: number, count: number) =>
  Array.from({ length: count }, (_, i) => 1 + i * spacing)

await t.test('every record is returned, newest first, with few reads', async t => {
  for (const spacing of [1, 2, 7, 40]) {
    const positions = every(spacing, 1_024)
    const { seen, reads, most } = await scanBack(positions)
    t.strictSame(seen, positions.toReversed(), `one in ${spacing}`)
    t.ok(reads < 30, `${reads} reads for 1,024 records`)
    t.ok(most <= 256 + 32)
  }
})

await t.test('a caller that stops early has read little more than it needed', async t => {
  const { read, reads } = await scanBack(every(3, 1_024), 100, 1)
  t.strictSame({ read, reads }, { read: 1, reads: 1 }, 'one step is one read')
  for (const depth of [2, 5, 12, 30, 100, 300]) {
    const { read } = await scanBack(every(3, 1_024), 100, depth)
    t.ok(read <= 4 * depth + 16, `${read} records for ${depth}`)
  }
})

await t.test('a history is searched in few steps that wait for each other', async t => {
  const { reads } = await scanBack(every(1, 1_024), 100, 256)
  t.ok(reads <= 5, `${reads} reads for 256 records`)
})

await t.test('a changing spacing costs reads, but no record is missed', async t => {
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
    const { seen, reads } = await scanBack(positions)
    t.strictSame(seen, positions.toReversed())
    t.ok(reads <= positions.length, `${reads} reads for ${positions.length} records`)
  }
})

await t.test('records that are far apart are read one by one', async t => {
  const positions = every(1_000, 300)
  const { seen, most } = await scanBack(positions)
  t.strictSame(seen, positions.toReversed())
  t.equal(most, 0, 'no batch')
})

await t.test('large records are read one by one, and little is held', async t => {
  const positions = every(2, 300)
  const large = await scanBack(positions, 200_000)
  t.strictSame(large.seen, positions.toReversed())
  t.equal(large.most, 0, 'no batch')
  const middling = await scanBack(positions, 20_000)
  t.strictSame(middling.seen, positions.toReversed())
  t.ok(middling.most * 20_000 <= 1.5 * 1024 * 1024, `${middling.most} at a time`)
})

await t.test(
  'a missing record is not found, and no other is returned for it',
  async t => {
    const reads: number[] = []
    const scan = new BackwardScan<Record>(100, {
      async readOne(position) {
        reads.push(position)
        return undefined
      },
      readSome: async from => [{ position: from, body: new Uint8Array() }],
    })
    for (const position of [90, 80, 70, 60, 50])
      t.equal(await scan.at(position), undefined, `${position}`)
    t.strictSame(reads, [90, 80, 70, 60, 50])
  },
)
