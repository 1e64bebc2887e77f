import t from 'tap'

import { defaultPartitions, partitionOf } from '../../src/model/partition.js'

/** FNV-1a as its authors write it, in big integers. */
function fnv1a(text: string): number {
  let hash = 2166136261n
  for (const byte of Buffer.from(text))
    hash = ((hash ^ BigInt(byte)) * 16777619n) % 2n ** 32n
  return Number(hash)
}

await t.test('the hash has the published values', async t => {
  // From the FNV authors' test vectors.
  t.equal(fnv1a(''), 0x811c9dc5)
  t.equal(fnv1a('a'), 0xe40c292c)
  t.equal(fnv1a('foobar'), 0xbf9cf968)
})

await t.test('an actor’s partition never changes', async t => {
  const known: [string, string, number][] = [
    ['account', 'alice', 3],
    ['account', 'bob', 8],
    ['trip', '1', 10],
    ['trip', '🪨', 4],
    ['a', 'ä', 14],
  ]
  for (const [type, id, partition] of known)
    t.equal(partitionOf({ type, id }, 16), partition, `${type}/${id}`)
})

await t.test('the partition is the hash of the UTF-8 bytes of type/id', async t => {
  const ids = ['', 'x', 'ä', 'xä', '🪨', 'a/b', '\0', '\u007f', '\u0080', 'x'.repeat(256)]
  for (const id of ids)
    for (const partitions of [1, 7, 16, 2 ** 31]) {
      const wanted = fnv1a(`account/${id}`) % partitions
      t.equal(partitionOf({ type: 'account', id }, partitions), wanted)
    }
})

await t.test('actors spread over all partitions', async t => {
  const counts = Array.from({ length: defaultPartitions }, () => 0)
  for (let i = 0; i < 16_000; i++) {
    const partition = partitionOf({ type: 'account', id: `${i}` }, defaultPartitions)
    counts[partition] = counts[partition]! + 1
  }
  t.ok(Math.min(...counts) > 800 && Math.max(...counts) < 1200, counts.join())
})
