// The examples of plugins print what their READMEs say.

import { readFile } from 'node:fs/promises'

import t from 'tap'

import { run } from '../multinode/harness.js'

await t.test('the TypeScript plugin goes on after its death', async t => {
  const example = run(['examples/dist/12-typescript-plugin/main.js'])
  t.equal(await example.ended, 0, example.stderr())
  const readme = await readFile('examples/12-typescript-plugin/README.md', 'utf8')
  const printed = readme.slice(readme.indexOf('It prints:'))
  const expected = printed.match(/^ {4}.*$/gm)!.map(line => line.trim())
  t.strictSame(example.stdout().trim().split('\n'), expected)
})
