// The read model contract: one suite for every implementation of src/store/read-models/read-models.ts.

import type { Test } from 'tap'

import { newId } from '../../src/model/id.js'
import { prepareQuery, type RowsQuery } from '../../src/projection/rows-query.js'
import {
  initialCheckpoint,
  type ReadModel,
  type ReadModels,
} from '../../src/store/read-models/read-models.js'

export type OpenReadModels = (namespace: string) => Promise<ReadModels>

const rowsOf = (rows: Readonly<Record<string, unknown>>) => new Map(Object.entries(rows))

export async function entriesOf(model: ReadModel): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for await (const [key, row] of model.entries()) found[key] = row
  return found
}

export async function testReadModels(
  t: Test,
  name: string,
  open: OpenReadModels,
): Promise<void> {
  await t.test(`the read model contract: ${name}`, async t => {
    const namespace = `v-${newId().slice(0, 8)}`
    const one = await open(namespace)
    const other = await open(namespace)

    await t.test(
      'READMODEL-1 READMODEL-3 rows and checkpoint are read as they were written',
      async t => {
        const model = one.open('first-1')
        const mark = { position: 9, id: 'ünd/9' }
        t.strictSame(await model.checkpoint(), initialCheckpoint)
        t.strictSame(await model.get(['a', 'b']), [undefined, undefined])
        t.strictSame(await entriesOf(model), {})
        const rows = {
          a: { n: 1, at: new Date(5), bytes: new Uint8Array([1, 2]), big: 2n ** 60n },
          'b.c *>/é\u0000': [1, 'two', { three: undefined }],
          // Each of them is three bytes in a subject.
          ['*'.repeat(768)]: 'long',
        }
        const revision = await model.write(
          { rows: rowsOf(rows), position: 7, ahead: 2, mark },
          0,
        )
        const checkpoint = { position: 7, ahead: 2, mark, revision }
        for (const reader of [model, other.open('first-1')]) {
          t.strictSame(await reader.checkpoint(), checkpoint)
          const keys = Object.keys(rows)
          const found = await reader.get([...keys, 'none'])
          t.match(found, [
            { n: 1, at: new Date(5), big: 2n ** 60n },
            rows['b.c *>/é\u0000'],
            'long',
          ])
          t.equal(found[3], undefined)
          t.strictSame(Object.keys(await entriesOf(reader)).toSorted(), keys.toSorted())
        }
        t.strictSame(
          await one.open('first-10').checkpoint(),
          initialCheckpoint,
          'another name',
        )
        t.strictSame(await one.open('first-10').get(['a']), [undefined])
      },
    )

    await t.test(
      'READMODEL-1 a row is overwritten, removed, and written again',
      async t => {
        const model = one.open('rows-1')
        const write = async (rows: Record<string, unknown>, revision: number) =>
          (await model.write(
            { rows: rowsOf(rows), position: 1, ahead: 0 },
            revision,
          )) as number
        let revision = await write({ a: 1, b: 2 }, 0)
        revision = await write({ a: 3, b: null, c: null }, revision)
        t.strictSame(await model.get(['a', 'b', 'c']), [3, undefined, undefined])
        t.strictSame(await entriesOf(other.open('rows-1')), { a: 3 })
        revision = await write({ b: false }, revision)
        t.strictSame(await entriesOf(model), { a: 3, b: false })
        t.strictSame((await model.checkpoint()).revision, revision)
        await write({}, revision)
        t.strictSame(
          await entriesOf(model),
          { a: 3, b: false },
          'a checkpoint without rows',
        )
      },
    )

    await t.test(
      'READMODEL-1 READMODEL-2 models are written at once: one that conflicts fails alone',
      async t => {
        const models = Array.from({ length: 8 }, (_, i) => one.open(`beside-${i}`))
        const write = (model: ReadModel, n: number, revision: number) =>
          model.write(
            { rows: rowsOf({ n, [`row ${n}`]: n }), position: n, ahead: 0 },
            revision,
          )
        const first = await Promise.all(models.map(model => write(model, 1, 0)))
        t.notOk(first.includes('conflict'))
        // Somebody else writes the third one meanwhile.
        const theirs = await write(other.open('beside-3'), 7, first[3] as number)
        const second = await Promise.all(
          models.map((model, i) => write(model, 2, first[i] as number)),
        )
        t.strictSame(
          second.map(result => result === 'conflict'),
          models.map((_, i) => i === 3),
        )
        for (const [i, model] of models.entries()) {
          const n = i === 3 ? 7 : 2
          const revision = i === 3 ? theirs : second[i]
          t.match(await model.checkpoint(), { position: n, revision })
          t.strictSame(await entriesOf(model), { n, 'row 1': 1, [`row ${n}`]: n })
        }
      },
    )

    await t.test('READMODEL-2 of two writes with the same revision one wins', async t => {
      const models = [one.open('race-1'), other.open('race-1')] as const
      let revision = 0
      for (let round = 1; round <= 20; round++) {
        const results = await Promise.all(
          models.map((model, i) =>
            model.write(
              { rows: rowsOf({ by: i, [`of ${i}`]: round }), position: round, ahead: i },
              revision,
            ),
          ),
        )
        const winner = results.findIndex(result => result !== 'conflict')
        const won = results.filter(result => result !== 'conflict')
        if (won.length !== 1) t.fail(`${won.length} of two won in round ${round}`)
        revision = won[0]!
        const rows = await models[0].get(['by', `of ${winner}`, `of ${1 - winner}`])
        const checkpoint = await models[1].checkpoint()
        if (rows[0] !== winner || rows[1] !== round || rows[2] === round)
          t.fail(`round ${round} is mixed: ${JSON.stringify(rows)}`)
        t.strictSame(checkpoint, { position: round, ahead: winner, revision })
      }
      const late = { rows: rowsOf({ by: 'nobody' }), position: 99, ahead: 0 }
      t.equal(await models[0].write(late, 0), 'conflict')
      t.not((await models[0].get(['by']))[0], 'nobody')
    })

    await t.test('READMODEL-1 the maximum number of rows in one write', async t => {
      const model = one.open('many-1')
      const rows = new Map(Array.from({ length: 999 }, (_, i) => [`k${i}`, { i }]))
      await model.write({ rows, position: 3, ahead: 0 }, 0)
      t.equal(Object.keys(await entriesOf(other.open('many-1'))).length, 999)
      t.strictSame(await model.get(['k0', 'k998']), [{ i: 0 }, { i: 998 }])
      const found = await model.get([...rows.keys()])
      t.strictSame(found, [...rows.values()])
    })

    await t.test(
      'pages of a query are those of all rows, whatever their keys',
      async t => {
        const model = one.open('ranges-1')
        const texts = [
          'a',
          'b',
          'm',
          '\u0001',
          '\ud7ff',
          '\ue000',
          '\uffff',
          '😀',
          '𐀀',
          'é',
          '~',
          '-',
        ]
        const keys = new Set<string>()
        for (const first of texts)
          for (const second of ['', ...texts])
            for (const third of ['', 'x', '\uffff', '😀'])
              keys.add(first + second + third)
        const rows = new Map([...keys].map((key, i) => [key, { i }]))
        await model.write({ rows, position: 1, ahead: 0 }, 0)
        const sorted = [...keys].toSorted((a, b) => (a < b ? -1 : 1))
        const read = async (query: RowsQuery<unknown>) => {
          const found: string[] = []
          for (let cursor: string | undefined; ;) {
            const { range, page } = prepareQuery('p', { ...query, cursor })
            const next = await page(model.entries({ range }), model.isOrdered)
            found.push(...next.rows.map(({ key }) => key))
            if (next.cursor === undefined) return found
            cursor = next.cursor
          }
        }
        const bounds = [undefined, 'a', 'mé', '\ue000a', '😀', '\uffff', '~x']
        for (const from of bounds)
          for (const to of bounds)
            for (const descending of [false, true]) {
              const wanted = sorted.filter(
                key =>
                  (from === undefined || key >= from) && (to === undefined || key < to),
              )
              if (descending) wanted.reverse()
              const found = await read({ from, to, descending, limit: 41 })
              t.strictSame(found, wanted, `${from} to ${to}, descending: ${descending}`)
            }
        const even = await read({
          where: row => (row as { i: number }).i % 2 === 0,
          limit: 7,
        })
        t.strictSame(
          even,
          sorted.filter(key => rows.get(key)!.i % 2 === 0),
        )
      },
    )

    await t.test('READMODEL-4 a dropped model is like one never written', async t => {
      const model = one.open('dropped-1')
      const rows = new Map(Array.from({ length: 600 }, (_, i) => [`k${i}`, i]))
      const revision = await model.write({ rows, position: 3, ahead: 0 }, 0)
      await one
        .open('dropped-10')
        .write({ rows: rowsOf({ a: 1 }), position: 1, ahead: 0 }, 0)
      await other.open('dropped-1').drop()
      t.strictSame(await model.checkpoint(), initialCheckpoint)
      t.strictSame(await entriesOf(model), {})
      t.strictSame(await model.get(['k5']), [undefined])
      const late = { rows: rowsOf({ a: 1 }), position: 4, ahead: 0 }
      t.equal(await model.write(late, revision as number), 'conflict')
      await model.drop()
      t.strictSame(await entriesOf(one.open('dropped-10')), { a: 1 }, 'and no other one')
      t.type(await model.write(late, 0), 'number')
    })

    await t.test(
      'READMODEL-2 a write from before a drop does not go on what came after it',
      async t => {
        const model = one.open('again-1')
        const write = { rows: rowsOf({ a: 1 }), position: 1, ahead: 0 }
        const before = await model.write(write, 0)
        await other.open('again-1').drop()
        const after = await other.open('again-1').write(write, 0)
        t.not(after, before)
        t.equal(
          await model.write({ ...write, position: 2 }, before as number),
          'conflict',
        )
      },
    )

    await t.test(
      'READMODEL-4 a write beside a drop is whole, or is not there',
      async t => {
        const models = [one.open('beside-1'), other.open('beside-1')] as const
        const rows = new Map(Array.from({ length: 600 }, (_, i) => [`k${i}`, i]))
        for (let round = 0; round < 10; round++) {
          const { revision } = await models[0].checkpoint()
          await models[0].write({ rows, position: 1, ahead: 0 }, revision)
          const next = async () => {
            const now = await models[0].checkpoint()
            const write = { rows: rowsOf({ mine: round }), position: 2, ahead: 0 }
            await models[0].write(write, now.revision)
          }
          await Promise.all([models[1].drop(), next(), models[1].drop(), next()])
          const now = await models[1].checkpoint()
          const found = Object.keys(await entriesOf(models[1]))
          // Rows of which a drop has removed a part have no checkpoint on which anybody may write.
          const expected = now.revision === 0 ? [] : ['mine']
          if (found.length !== expected.length && found.length < 600)
            t.fail(`round ${round}: revision ${now.revision}, and ${found.length} rows`)
          await models[1].drop()
          t.strictSame(await entriesOf(models[0]), {})
        }
      },
    )

    await t.test('nothing crosses a namespace', async t => {
      const elsewhere = await open(`v-${newId().slice(0, 8)}`)
      t.strictSame(await elsewhere.open('first-1').checkpoint(), initialCheckpoint)
      t.strictSame(await elsewhere.open('first-1').get(['a']), [undefined])
    })
  })
}
