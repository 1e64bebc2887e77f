// The documents contract: one suite for every implementation of src/store/documents/documents.ts.

import type { Test } from 'tap'

import type { Documents } from '../../src/store/documents/documents.js'
import { newId } from '../../src/model/id.js'

export type OpenDocuments = (namespace: string) => Promise<Documents>

const bytes = (text: string) => Buffer.from(text)

export async function testDocuments(
  t: Test,
  name: string,
  open: OpenDocuments,
): Promise<void> {
  await t.test(`the documents contract: ${name}`, async t => {
    const namespace = `d-${newId().slice(0, 8)}`
    const one = await open(namespace)
    const other = await open(namespace)

    await t.test('a document is read as it was put', async t => {
      t.equal(await one.get(['inbox', '1']), undefined)
      const revision = await one.put(['inbox', '1'], bytes('first'), 0)
      t.type(revision, 'number')
      const found = await other.get(['inbox', '1'])
      t.equal(Buffer.from(found!.value).toString(), 'first')
      t.equal(found!.revision, revision)
      t.equal(
        await one.get(['inbox', '10']),
        undefined,
        'another name is another document',
      )
    })

    await t.test('DOCUMENTS-2 of two puts with the same revision one wins', async t => {
      const key = ['inbox', '2']
      const first = (await one.put(key, bytes('0'), 0)) as number
      t.equal(await other.put(key, bytes('again'), 0), 'conflict')
      let revision = first
      for (let round = 0; round < 20; round++) {
        const results = await Promise.all(
          [one, other].map((documents, i) =>
            documents.put(key, bytes(`${round}/${i}`), revision),
          ),
        )
        const won = results.filter(result => result !== 'conflict')
        if (won.length !== 1) t.fail(`${won.length} of two won in round ${round}`)
        revision = won[0]!
        const found = await one.get(key)
        const winner = results.findIndex(result => result !== 'conflict')
        if (Buffer.from(found!.value).toString() !== `${round}/${winner}`)
          t.fail(`the winner of round ${round} is not what is read`)
      }
      t.ok(revision > first)
    })

    await t.test(
      'DOCUMENTS-4 documents are listed by a prefix of their names',
      async t => {
        const names = async (documents: Documents, ...prefix: string[]) =>
          (await documents.list(prefix)).map(key => key.join('/')).toSorted()
        t.strictSame(await names(one, 'reactor'), [])
        await one.put(['reactor', 'a', 'log', '1'], bytes('1'), 0)
        await one.put(['reactor', 'a', 'log', '10'], bytes('2'), 0)
        await one.put(['reactor', 'a', 'topic', '1'], bytes('3'), 0)
        await one.put(['reactor', 'a-b', 'log', '1'], bytes('4'), 0)
        await one.put(['reactor-x', 'a', 'log', '1'], bytes('5'), 0)
        t.strictSame(await names(other, 'reactor', 'a'), [
          'reactor/a/log/1',
          'reactor/a/log/10',
          'reactor/a/topic/1',
        ])
        t.strictSame(await names(other, 'reactor', 'a', 'log'), [
          'reactor/a/log/1',
          'reactor/a/log/10',
        ])
        t.equal((await names(other, 'reactor')).length, 4)
        t.strictSame(await names(other, 'reactor', 'a', 'log', '1'), [], 'not itself')
        const elsewhere = await open(`d-${newId().slice(0, 8)}`)
        t.strictSame(await elsewhere.list(['reactor']), [])
      },
    )

    await t.test('DOCUMENTS-5 a document that was removed does not exist', async t => {
      const key = ['consumer', 'gone']
      t.equal(await one.remove(key, 0), false, 'there is none')
      const first = (await one.put(key, bytes('1'), 0)) as number
      t.equal(await other.remove(key, first + 1), false, 'it is at another revision')
      t.equal(await other.remove(key, first), true)
      t.equal(await one.get(key), undefined)
      t.equal(await one.put(key, bytes('2'), first), 'conflict')
      const second = (await one.put(key, bytes('2'), 0)) as number
      t.type(second, 'number')
      t.equal((await other.get(key))?.revision, second)
      t.equal(await other.put(key, bytes('3'), 0), 'conflict')
    })

    await t.test('nothing crosses a namespace', async t => {
      const elsewhere = await open(`d-${newId().slice(0, 8)}`)
      t.equal(await elsewhere.get(['inbox', '1']), undefined)
    })
  })
}
