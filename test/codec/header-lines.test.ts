// The fast reading of a commit's headers returns what the reading row by row returns, whatever stands in them (HEADER-TABLE-3).

import { isDeepStrictEqual } from 'node:util'

import * as fc from 'fast-check'
import t from 'tap'

import { decodeHeaders } from '../../src/codec/commit-headers.js'
import { commitHeaders } from '../../src/codec/header-table.js'
import { HeaderValues } from '../../src/nats/headers.js'

/** Of each header, a value of an ordinary commit first, and then others, valid or not. */
const values: Readonly<Record<string, readonly string[]>> = {
  'Cairn-Wire': ['1', '2', '3', ''],
  'Cairn-Versions': [
    '1-1',
    '1-2',
    '4-3',
    '-1',
    '1-',
    'a-b',
    '1-1-1',
    '9007199254740993-1',
  ],
  'Cairn-Events': ['a', 'a*2', 'a,b', '%zz', ''],
  'Cairn-At': ['1', '1e3', 'x', ''],
  'Cairn-Behavior': ['2', '1', 'x'],
  'Cairn-Says': ['a,b', '%zz'],
  'Cairn-Commands': ['c', 'c*2', ''],
  'Cairn-Correlations': ['c', 'c,d'],
  'Cairn-Inbox': ['4', '0'],
}
const others = ['x', '%41', '%zz', '']
const names = [...commitHeaders.map(({ name }) => name), 'Nats-Sequence', 'Foreign']

const line = fc
  .constantFrom(...names)
  .chain(name =>
    fc.tuple(fc.constant(name), fc.constantFrom(...(values[name] ?? others))),
  )
/** In the order in which they are written. */
const ordinary = fc
  .subarray(
    ['Cairn-Wire', 'Cairn-Commit', 'Cairn-Versions', 'Cairn-Events', 'Cairn-At'],
    {
      minLength: 4,
    },
  )
  .map(some => some.map(name => [name, (values[name] ?? others)[0]!] as const))
const inOrder = (list: readonly (readonly [string, string])[]) =>
  list.toSorted(([a], [b]) => names.indexOf(a) - names.indexOf(b))
const extended = fc
  .tuple(ordinary, fc.array(line, { maxLength: 4 }), fc.boolean())
  .map(([some, more, isSorted]) => {
    const list = [...some, ...more]
    return isSorted ? inOrder(list) : list
  })

await t.test('both readings agree', async t => {
  let [valid, invalid] = [0, 0]
  const agree = fc.property(extended, list => {
    const headers = new HeaderValues(list.flat())
    const header = (name: string) => headers.get(name)
    const one = decodeHeaders(header)
    if (typeof one === 'object') valid++
    else invalid++
    return isDeepStrictEqual(decodeHeaders(header, headers.lines), one)
  })
  fc.assert(agree, { numRuns: 5_000 })
  t.ok(valid > 100 && invalid > 100, `${valid} were valid, and ${invalid} were not`)
})
