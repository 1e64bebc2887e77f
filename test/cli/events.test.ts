// cairn events: what is in the log, counted once however often it is asked, and what differs from the code.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { homesOf, isRefused, jsonLines } from './support.js'

await using server = await startNats()
const dir = t.testdir()
process.env['XDG_CACHE_HOME'] = join(dir, 'cache')

interface Row {
  readonly actorType: string
  readonly event: string
  readonly count: number
  readonly drift?: string
  readonly last?: { readonly position: number }
}

const purse = (id: string) => ({ type: 'purse', id })
const actors = ['--actors', 'test/support/actors/catalogued.mjs']

for (const { name, store, flags } of homesOf(server, dir))
  await t.test(`the catalogue, on ${name}`, async t => {
    const here = ['--ns', 'catalogue', ...flags]
    {
      await using open = await store.open({ namespace: 'catalogue', nodeId: 'n1' })
      const filled = (cents: number, more = {}) => ({
        type: 'filled',
        data: { cents, ...more },
      })
      await open.store.append(purse('a'), [filled(1), filled(2, { note: 'a gift' })])
      const spent = { type: 'spent', data: { at: new Date(0), of: [1, 'two', null] } }
      await open.store.append(purse('a'), [{ ...spent, schemaVersion: 3 }], {
        behaviorVersion: 4,
      })
      await open.store.append(purse('b'), [{ type: 'lost', data: null }])
      await open.store.append({ type: 'cat', id: 'c' }, [{ type: 'fed' }])
    }
    const first = await cairn('events', ...here, '--json')
    t.equal(first.code, 0, first.stderr)
    t.match(first.stderr, /^Up to position 4\.$/m)
    const rows = jsonLines<Row>(first)
    t.strictSame(
      rows.map(({ actorType, event, count }) => `${actorType} ${event} ${count}`),
      ['cat fed 1', 'purse filled 2', 'purse lost 1', 'purse spent 1'],
    )
    t.match(rows[3], {
      first: { position: 2 },
      versions: [{ schemaVersion: 3, count: 1, last: { position: 2 } }],
      producers: [{ node: 'n1', behavior: 4, count: 1 }],
    })

    await t.test('only what is new is read, and each event is counted once', async t => {
      const appended = await cairn('append', 'purse/a', 'filled', '{"cents":3}', ...here)
      t.equal(appended.code, 0, appended.stderr)
      const cache = ['--cache', join(dir, `${name}.json`)]
      for (const more of [[], [], ['--rebuild'], cache, cache]) {
        const again = await cairn('events', ...here, ...more, '--json')
        const found = jsonLines<Row>(again)[1]
        t.match(found, { event: 'filled', count: 3, last: { position: 5 } })
      }
      // What is kept is used: a count that is changed there is not counted again.
      const kept = await readFile(cache[1]!, 'utf8')
      await writeFile(cache[1]!, kept.replace('"count":3', '"count":30'))
      const changed = await cairn('events', ...here, ...cache, '--json')
      t.equal(jsonLines<Row>(changed)[1]?.count, 30)
      t.notMatch(kept, 'a gift', 'no data is kept')
    })

    await t.test('a file of another log, or none of ours, is not used', async t => {
      const file = join(dir, `${name}-foreign.json`)
      const cache = ['--cache', file, '--json']
      for (const content of [
        '{',
        '{"form":1,"namespace":"catalogue","position":3,"commitId":"other","entries":[]}',
        '{"form":1,"namespace":"catalogue","position":900,"commitId":"","entries":[]}',
      ]) {
        await writeFile(file, content)
        const ended = await cairn('events', ...here, ...cache)
        t.equal(jsonLines<Row>(ended)[1]?.count, 3, ended.stderr)
      }
    })

    await t.test('what differs from the code is named', async t => {
      const ended = await cairn('events', ...here, ...actors, '--json')
      t.equal(ended.code, 1, 'there is what the code does not know')
      t.strictSame(
        jsonLines<Row>(ended).map(({ event, drift = '' }) => `${event} ${drift}`),
        ['fed ', 'filled ', 'lost unknown', 'spent newer', 'closed never'],
      )
      t.match(ended.stderr, /There is no definition here of cat\./)
      const plain = await cairn('events', ...here, ...actors, '--type', 'purse')
      t.match(
        plain.stdout,
        /^purse lost  1 event  v1  3 \(.*by n1@1  UNKNOWN to the code$/m,
      )
      t.match(plain.stdout, /^purse closed  0 events  never stored$/m)
    })

    await t.test('types are of what is stored, or of the schema', async t => {
      const types = await cairn('events', '--types', ...here, '--type', 'purse')
      t.equal(
        types.stdout,
        `export type PurseEvent =
  /** inferred from 3 of those stored */
  | {
      type: "filled"
      schemaVersion: 1
      data: {
        cents: number
        note?: string
      }
    }
  /** inferred from 1 of those stored */
  | {
      type: "lost"
      schemaVersion: 1
      data: null
    }
  /** inferred from 1 of those stored */
  | {
      type: "spent"
      schemaVersion: 3
      data: {
        at: Date
        of: (number | null | string)[]
      }
    }

`,
      )
      const schemas = await cairn('events', '--types', ...here, ...actors, '--json')
      t.match(jsonLines(schemas)[1], {
        event: 'filled',
        source: 'schema',
        schema: { type: 'object', required: ['cents'] },
      })
      t.match(jsonLines(schemas)[3], {
        source: 'inferred',
        samples: 1,
        schema: { properties: { at: { format: 'date-time' } } },
      })
    })

    await t.test('a sample is the latest event', async t => {
      const sample = await cairn('events', '--sample', ...here, '--type', 'purse')
      t.equal(sample.code, 0, sample.stderr)
      t.equal(sample.lines[0], 'purse filled  {"cents":3}  purse/a/4')
    })

    await t.test('two outputs at once are refused', async t => {
      const both = await cairn('events', '--sample', '--types', ...here)
      isRefused(t, both, { code: 2, says: /are two outputs/ })
    })
  })
