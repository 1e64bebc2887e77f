// Documents whose disappearance is reported: when it is so, and not because two answers came in another order.

import t from 'tap'

import { DamageReports } from '../../src/model/damage.js'
import { deferred } from '../../src/model/wait.js'
import type { DocumentKey } from '../../src/store/documents/documents.js'
import { MemoryDocuments } from '../../src/store/documents/memory.js'
import { WatchedDocuments } from '../../src/store/documents/watched.js'

const key = ['projection', 'sums']
const value = new Uint8Array([1])

/** Answers take their way while `held` is there: they say what was so when they were asked for. */
class SlowDocuments extends MemoryDocuments {
  held: Promise<void> | undefined

  override async get(name: DocumentKey) {
    const { held } = this
    const found = await super.get(name)
    await held
    return found
  }

  override async remove(name: DocumentKey, revision: number) {
    const { held } = this
    const isRemoved = await super.remove(name, revision)
    await held
    return isRemoved
  }
}

function watched() {
  const documents = new SlowDocuments()
  const damage = new DamageReports()
  return { documents, damage, own: new WatchedDocuments(documents, damage, 'here') }
}

await t.test('one that somebody else has removed is reported', async t => {
  const { documents, damage, own } = watched()
  const revision = (await own.put(key, value, 0)) as number
  t.ok(await own.get(key))
  await documents.remove(key, revision)
  t.equal(await own.get(key), undefined)
  t.match(damage.list(), [{ place: 'here', problem: 'emptied' }])
})

await t.test('WATCHED-DOCUMENTS-1 an answer of before it was stored is not', async t => {
  const { documents, damage, own } = watched()
  const late = deferred<void>()
  documents.held = late.promise
  const before = own.get(key)
  documents.held = undefined
  await own.put(key, value, 0)
  late.resolve()
  t.equal(await before, undefined)
  t.strictSame(damage.list(), [])
})

await t.test('WATCHED-DOCUMENTS-2 one that this process removes is not', async t => {
  const { documents, damage, own } = watched()
  const revision = (await own.put(key, value, 0)) as number
  const late = deferred<void>()
  documents.held = late.promise
  const removed = own.remove(key, revision)
  documents.held = undefined
  t.equal(await own.get(key), undefined)
  late.resolve()
  t.ok(await removed)
  t.strictSame(damage.list(), [])
})

await t.test('one that could not be removed is still watched', async t => {
  const { documents, damage, own } = watched()
  const revision = (await own.put(key, value, 0)) as number
  t.notOk(await own.remove(key, revision + 1))
  await documents.remove(key, revision)
  t.equal(await own.get(key), undefined)
  t.equal(damage.list().length, 1)
})
