// The snapshot contract: one suite for every store, on its read models.

import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'

import { CairnError } from '../../src/model/errors.js'
import { newId } from '../../src/model/id.js'
import type {
  ReadModel,
  ReadModels,
  ReadModelWrite,
} from '../../src/store/read-models/read-models.js'
import {
  type Snapshot,
  snapshotModelOf,
  Snapshots,
} from '../../src/store/snapshots/snapshots.js'
import type { OpenReadModels } from './read-models.js'

const alice = { type: 'account', id: 'alice' }

/** Random bytes, which compress to nothing less: a chunk has 128 KiB. */
function snapshotOf(version: number, bytes: number): Snapshot {
  const value = new Uint8Array(randomBytes(bytes))
  const commitId = `commit-${version}`
  return { behavior: 1, version, position: version + 7, commitId, value }
}

/** The same models, each write of which goes through `on`. */
function tapped(
  models: ReadModels,
  on: (
    model: ReadModel,
    write: ReadModelWrite,
    revision: number,
  ) => ReturnType<ReadModel['write']>,
): ReadModels {
  return {
    open(name) {
      const model = models.open(name)
      return {
        checkpoint: () => model.checkpoint(),
        get: (keys, options) => model.get(keys, options),
        write: (write, revision) => on(model, write, revision),
        entries: options => model.entries(options),
        drop: () => model.drop(),
      }
    },
  }
}

/** A comparison of large values by tap takes minutes. */
function isSame(found: Snapshot | undefined, wanted: Snapshot | undefined): boolean {
  if (found === undefined || wanted === undefined) return found === wanted
  const { value, ...rest } = found
  const { value: wantedValue, ...wantedRest } = wanted
  return Buffer.compare(value, wantedValue) === 0 && isDeepStrictEqual(rest, wantedRest)
}

export async function testSnapshots(
  t: Test,
  name: string,
  open: OpenReadModels,
): Promise<void> {
  await t.test(`the snapshot contract: ${name}`, async t => {
    const models = await open(`s-${newId().slice(0, 8)}`)
    const snapshots = new Snapshots(models)

    await t.test(
      'SNAPSHOT-1 a snapshot of any size is read as it was written',
      async t => {
        t.equal(await snapshots.read(alice), undefined)
        for (const [i, size] of [0, 1, 131_072, 131_073, 5_000_000, 10].entries()) {
          const written = {
            ...snapshotOf(i + 1, size),
            ...(i > 2 && { skipped: '3,7-9' }),
          }
          t.equal(await snapshots.write(alice, written), true)
          t.ok(isSame(await snapshots.read(alice), written), `${size} bytes`)
          t.ok(isSame(await new Snapshots(models).read(alice), written))
        }
        t.equal(await snapshots.read({ type: 'account', id: 'bob' }), undefined)
      },
    )

    await t.test('what is not usable is not read', async t => {
      const seen: number[] = []
      const isUsable = ({ version }: { readonly version: number }) => {
        seen.push(version)
        return false
      }
      t.equal(await snapshots.read(alice, { isUsable }), undefined)
      t.strictSame(seen, [6])
    })

    await t.test(
      'SNAPSHOT-2 a writer that dies at any write leaves the snapshot before',
      async t => {
        const actor = { type: 'account', id: 'dies' }
        let before = snapshotOf(1, 900_000)
        await snapshots.write(actor, before)
        let isWritten = false
        for (let dies = 0; !isWritten; dies++)
          for (const isStored of [false, true]) {
            let writes = 0
            const dying = tapped(models, async (model, write, revision) => {
              if (writes++ < dies) return model.write(write, revision)
              if (isStored) await model.write(write, revision)
              throw new Error('killed')
            })
            const next = snapshotOf(before.version + 1, 4_500_000)
            const ended = await new Snapshots(dying)
              .write(actor, next)
              .catch(() => 'killed')
            isWritten = ended === true
            const found = await snapshots.read(actor)
            t.ok(found !== undefined, `there is a snapshot after write ${dies}`)
            const isNext = found?.version === next.version
            t.ok(isSame(found, isNext ? next : before), 'and it is whole')
            if (isNext) before = next
            if (isWritten) break
          }
      },
    )

    await t.test('SNAPSHOT-1 a damaged snapshot is not used, and told', async t => {
      const actor = { type: 'account', id: 'damaged' }
      const told: string[] = []
      const careful = new Snapshots(models, (_, reason) => void told.push(reason))
      const model = models.open(snapshotModelOf(actor))
      const damage = async (rows: Readonly<Record<string, unknown>>) => {
        const { revision } = await model.checkpoint()
        const place = { position: 1, ahead: 0 }
        await model.write({ rows: new Map(Object.entries(rows)), ...place }, revision)
        return careful.read(actor)
      }
      const restore = async () => {
        await damage({ manifest: null })
        await snapshots.write(actor, snapshotOf(3, 300_000))
        t.equal((await careful.read(actor))?.version, 3)
      }
      await restore()
      t.equal(await damage({ 'a/1': null }), undefined)
      await restore()
      t.equal(
        await damage({ 'b/0': new Uint8Array(131_072), 'a/0': new Uint8Array(131_072) }),
        undefined,
      )
      await restore()
      const [manifest] = await model.get(['manifest'])
      t.equal(
        await damage({ manifest: { ...(manifest as object), version: 4 } }),
        undefined,
      )
      t.equal(await damage({ manifest: 'none' }), undefined)
      t.match(told, [
        /1 of its chunks are missing/,
        /does not match its checksum/,
        /does not match its checksum/,
        /its manifest is not one/,
      ])
      await snapshots.write(actor, snapshotOf(5, 10))
      t.equal((await careful.read(actor))?.version, 5, 'a later one replaces it')
      const foreign = { ...(manifest as object), actor: 'account/other' }
      t.equal(
        await damage({ manifest: foreign }),
        undefined,
        'nor is one of another actor',
      )
    })

    await t.test(
      'SNAPSHOT-3 of two writers at once one writes, and what is read is whole',
      async t => {
        const actor = { type: 'account', id: 'contended' }
        const all = [1, 2, 3, 4].map(version => snapshotOf(version, 3_000_000))
        const written = await Promise.all(all.map(one => snapshots.write(actor, one)))
        t.ok(written.includes(true))
        const found = await snapshots.read(actor)
        t.ok(
          isSame(
            found,
            all.find(({ version }) => version === found?.version),
          ),
        )
      },
    )

    await t.test('a store that takes less gets smaller chunks', async t => {
      const actor = { type: 'account', id: 'narrow' }
      const narrow = tapped(models, (model, write, revision) => {
        for (const row of write.rows.values())
          if (row instanceof Uint8Array && row.length > 30_000)
            throw new CairnError('commit-too-large', 'it is too large')
        return model.write(write, revision)
      })
      const given = snapshotOf(1, 400_000)
      t.equal(await new Snapshots(narrow).write(actor, given), true)
      t.ok(isSame(await snapshots.read(actor), given))
    })
  })
}
