// P1, P3 and P4 with two owners of every actor that receive nothing from each other.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { embedded, memory } from '../../src/index.js'
import { provesFairness, provesTwoOwners } from '../support/double-owner.js'

await t.test('two nodes own every actor at once, in memory', async t => {
  const shared = memory()
  await provesTwoOwners(t, { backend: () => shared, namespace: 'ns', commands: 1_000 })
})

await t.test('two nodes own every actor at once, in one directory', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-owners-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const backend = () => embedded({ dir })
  await provesTwoOwners(t, { backend, namespace: 'ns', commands: 1_000 })
})

await t.test(
  'two owners of one busy actor both answer every command, in memory',
  async t => {
    const shared = memory()
    await provesFairness(t, { backend: () => shared, namespace: 'ns', commands: 2_000 })
  },
)

await t.test(
  'two owners of one busy actor both answer every command, in one directory',
  async t => {
    const dir = await mkdtemp(join(tmpdir(), 'cairn-owners-'))
    t.teardown(() => rm(dir, { recursive: true, force: true }))
    const backend = () => embedded({ dir })
    await provesFairness(t, { backend, namespace: 'ns', commands: 2_000 })
  },
)
