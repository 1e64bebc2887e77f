// Invariants have labels that are unique in the tree, and each citation names one that exists.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

/** A prefix of upper-case words, and a number: `MAILBOX-1`, `STORE-JS-2`. */
const label = String.raw`[A-Z]{2,}(?:-[A-Z]{2,})*-\d+`
const definition = new RegExp(String.raw`^\s*(?://|\*) (${label})\. `, 'gm')
const citation = new RegExp(String.raw`(?<![\w-])(${label})(?![\w-])`, 'g')
/** Names of standards, which look like labels. */
const standards = /^(?:UTF|ISO|SHA|ADR|RFC|CVE)-/

const folders = [
  'src',
  'packages',
  'test',
  'docs',
  'bench',
  'examples',
  'scripts',
  'config',
]
const skipped = /^(?:docs\/api|examples\/dist|packages\/\w+\/dist)\//

async function* sources(): AsyncGenerator<{ path: string; text: string }> {
  for (const folder of folders)
    // With their types, entries of linked packages are not entered.
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isFile() && /\.(?:ts|mjs|md)$/.test(path) && !skipped.test(path))
        yield { path, text: await readFile(path, 'utf8') }
    }
  yield { path: 'ARCHITECTURE.md', text: await readFile('ARCHITECTURE.md', 'utf8') }
}

const defined = new Map<string, string[]>()
const cited: { name: string; path: string }[] = []
for await (const { path, text } of sources()) {
  if (/^(?:src|packages|scripts)\//.test(path))
    for (const [, name] of text.matchAll(definition))
      defined.set(name!, [...(defined.get(name!) ?? []), path])
  for (const [, name] of text.matchAll(citation))
    if (!standards.test(name!)) cited.push({ name: name!, path })
}

await t.test('each label is defined once', async t => {
  t.ok(defined.size > 100, `${defined.size} invariants are defined`)
  t.strictSame(
    [...defined].filter(([, paths]) => paths.length > 1),
    [],
  )
})

await t.test('each citation names an invariant that is defined', async t => {
  t.ok(cited.length > defined.size)
  t.strictSame(
    cited.filter(({ name }) => !defined.has(name)),
    [],
  )
})

await t.test('no comment cites an invariant by a bare letter and number', async t => {
  // P1 to P7 are the promises of the README.
  const pattern = /^.*(?:\/\/|\*).*(?<![\w.-])[A-OQ-Z]\d{1,2}(?![\w.-]).*$/gm
  const bare: string[] = []
  for await (const { path, text } of sources())
    if (path.startsWith('src/'))
      for (const [line] of text.matchAll(pattern)) bare.push(`${path}: ${line.trim()}`)
  t.strictSame(bare, [])
})
