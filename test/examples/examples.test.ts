// Every example prints what its README shows. Plugins are no programs of their own: plugins.test.ts and test/grpc run them.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

import { startNats } from '../support/nats.js'
import { run } from '../multinode/harness.js'

const folders = (await readdir('examples', { withFileTypes: true }))
  .filter(entry => entry.isDirectory() && /^\d/.test(entry.name))
  .map(entry => entry.name)
  .toSorted()
const programs = folders.filter(folder => !folder.endsWith('-plugin'))

/** The lines that the README shows after "It prints:", without their indent. */
async function promised(folder: string): Promise<string> {
  const readme = await readFile(join('examples', folder, 'README.md'), 'utf8')
  const [, block] = /^It prints:\n\n((?: {4}.*\n|\n)+)/m.exec(readme) ?? []
  if (block === undefined)
    throw new Error(`examples/${folder}/README.md has no block after "It prints:"`)
  return `${block.replaceAll(/^ {4}/gm, '').trimEnd()}\n`
}

await t.test('every example has a number, a program and a README', async t => {
  t.ok(folders.length >= 2)
  const numbers = new Set(folders.map(folder => folder.slice(0, 2)))
  t.equal(numbers.size, folders.length, 'no two examples have the same number')
  for (const folder of folders) {
    t.match(folder, /^\d\d-[a-z0-9-]+$/)
    const files = await readdir(join('examples', folder))
    t.ok(files.includes('README.md'), files.join())
    if (!programs.includes(folder)) continue
    t.ok(files.includes('main.ts'), files.join())
    const readme = await readFile(join('examples', folder, 'README.md'), 'utf8')
    t.ok(
      readme.includes(`node examples/dist/${folder}/main.js`),
      'the README shows how to run it',
    )
    t.ok((await promised(folder)).length > 1, 'the README shows the output')
  }
  t.strictSame(
    (await readdir('examples/dist')).filter(name => programs.includes(name)).toSorted(),
    programs,
    'every example is compiled',
  )
})

await t.test('every example prints the output of its README, twice in a row', async t => {
  await using server = await startNats()
  for (const folder of programs)
    for (const time of ['first', 'second']) {
      const example = run([`examples/dist/${folder}/main.js`], {
        NATS_URL: server.url,
        CAIRN_LOG_LEVEL: 'warn',
      })
      const code = await example.ended
      t.equal(code, 0, example.stderr())
      t.equal(example.stdout(), await promised(folder), `${folder}, the ${time} time`)
      t.equal(example.stderr(), '')
    }
})
