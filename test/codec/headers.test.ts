import t from 'tap'

import {
  decodeHeader,
  decodeList,
  encodeHeader,
  encodeList,
} from '../../src/codec/headers.js'

const texts = [
  '',
  'plain',
  'a,b',
  'a*b',
  '*',
  ',',
  '%',
  '%2A',
  '%%',
  ' ',
  ' edge ',
  'in the middle',
  'line\nend',
  '\r\n',
  '\0',
  '\t',
  'ümlaut',
  '日本語',
  '🪨',
  '~!@#$^&()_+`-={}|[]\\:";\'<>?./',
]

/** The characters allowed in a header value. */
const lineSafe = /^[\x21-\x7e]*$/

await t.test('text encoded as a header is decoded unchanged', async t => {
  for (const text of texts) {
    const value = encodeHeader(text)
    t.match(value, lineSafe, `${JSON.stringify(text)} is ${value}`)
    t.equal(decodeHeader(value), text)
  }
})

await t.test('plain text stays readable', async t => {
  t.equal(encodeHeader('order-17/x:y'), 'order-17/x:y')
  t.equal(encodeHeader('50%'), '50%25')
  t.equal(encodeHeader('a b'), 'a%20b')
})

await t.test('a value that encodeHeader cannot write is an error', async t => {
  for (const value of ['%', '%2', '%zz', '%ff', '%c3'])
    t.throws(() => decodeHeader(value), URIError)
})

await t.test('lists are encoded with run lengths', async t => {
  const lists: [string[], string][] = [
    [['a'], 'a'],
    [['a', 'b'], 'a,b'],
    [['a', 'a', 'b'], 'a*2,b'],
    [['a', 'b', 'a'], 'a,b,a'],
    [Array.from({ length: 1000 }, () => 'deposited'), 'deposited*1000'],
    [['a*2'], 'a%2A2'],
    [['a,b', 'a,b'], 'a%2Cb*2'],
  ]
  for (const [items, value] of lists) {
    t.equal(encodeList(items), value)
    t.strictSame(decodeList(value, items.length), items)
  }
})

await t.test('lists of any text are decoded unchanged', async t => {
  for (const first of texts)
    for (const second of texts) {
      const items = [first, second, second, first]
      const value = encodeList(items)
      const found = decodeList(value, items.length)
      const right = lineSafe.test(value) && found?.join('\0') === items.join('\0')
      if (!right) t.fail(`${JSON.stringify(items)} became ${value}`)
    }
  t.strictSame(decodeList(encodeList(texts), texts.length), texts)
})

await t.test(
  'decoding a list of another length, or not a list, gives undefined',
  async t => {
    const cases: [string, number][] = [
      ['a', 2],
      ['a,b', 1],
      ['a*3', 2],
      ['a*3', 4],
      ['a*0', 0],
      ['a*-1,b', 1],
      ['a*1.5', 1],
      ['a*x', 1],
      ['a*', 1],
      ['a*9007199254740993', 1],
      ['a*1000000000', 1000],
    ]
    for (const [value, count] of cases)
      t.equal(decodeList(value, count), undefined, `${value} as ${count} items`)
  },
)
