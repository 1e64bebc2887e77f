// Config files are read within bounds of size, depth, count and time, and each refusal names the file.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import t from 'tap'

import { isCairnError } from '../../../src/model/errors.js'
import { loadConfig } from '../../../src/program/config/load.js'

const lines = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n')

const refused: [string, string, string, RegExp][] = [
  [
    '100,000 namespaces',
    'yaml',
    `streams:\n${lines(100_000, i => `  n${i}: {}`)}`,
    /bytes, and the limit is/,
  ],
  ['25,000 values', 'yaml', lines(25_000, i => `a${i}:`), /more than 20000 values/],
  [
    'an alias of aliases of aliases',
    'yaml',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, i) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefg'[i]}`).join(',')}]`).join('\n')}`,
    /alias/,
  ],
  ['lists without end', 'yaml', '['.repeat(200_000), /more than|deeper/],
  ['blocks 500 deep', 'yaml', lines(500, i => `${' '.repeat(i)}a:`), /deeper than 32/],
  ['dashes without end', 'yaml', '- '.repeat(100_000), /deeper than 32/],
  ['a key twice', 'yaml', 'streams: {}\nstreams: {}', /key "streams" twice/],
  ['JSON lists without end', 'json', '['.repeat(100_000), /cannot be read/],
  ['JSON 100 deep', 'json', '['.repeat(100) + ']'.repeat(100), /deeper than 32/],
  ['a JSON file of a megabyte', 'json', ' '.repeat(1_000_000), /limit is 262144/],
]

for (const [what, ending, text, why] of refused)
  await t.test(`${what} in ${ending} is refused`, async t => {
    const path = join(t.testdir(), `cairn.config.${ending}`)
    await writeFile(path, text)
    const error = await loadConfig(path).catch((thrown: unknown) => thrown)
    t.ok(isCairnError(error, 'invalid-option'))
    if (!isCairnError(error)) return
    t.match(error.message, why)
    t.ok(error.message.includes(path) && error.message.length < 2_000, error.message)
  })

await t.test('many namespaces, and an alias, are read', async t => {
  const path = join(t.testdir(), 'cairn.config.yaml')
  await writeFile(
    path,
    `streams:\n  a: &a { replicas: 3 }\n  b: *a\n${lines(3_000, i => `  n${i}: {}`)}`,
  )
  const { streams } = await loadConfig(path)
  t.equal(Object.keys(streams).length, 3_002)
  t.equal(streams['b']?.replicas, 3)
})
