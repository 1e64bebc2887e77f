// Prints the table of config/architecture.mjs into ARCHITECTURE.md, between its two markers.
// `--check` changes nothing and fails where the page is stale.

import { readFile, writeFile } from 'node:fs/promises'

import * as prettier from 'prettier'

import { layers } from '../config/architecture.mjs'

const page = 'ARCHITECTURE.md'
const begin = '<!-- layers: written by scripts/architecture.mjs -->'
const end = '<!-- end of layers -->'

const rows = layers.map(({ path, holds, imports, adapters = [] }) => {
  const allowed = [...imports, ...adapters.map(name => `(adapter files:) ${name}`)]
  return `| \`src/${path}\` | ${holds} | ${allowed.join(', ') || 'nothing of ours'} |`
})
const table = ['| folder | holds | may import |', '| --- | --- | --- |', ...rows].join(
  '\n',
)

const text = await readFile(page, 'utf8')
const from = text.indexOf(begin)
const to = text.indexOf(end)
if (from < 0 || to < from)
  throw new Error(`${page} has no markers for the table of layers.`)
const whole = `${text.slice(0, from)}${begin}\n\n${table}\n\n${text.slice(to)}`
const config = await prettier.resolveConfig(page)
const wanted = await prettier.format(whole, { ...config, parser: 'markdown' })

if (wanted === text) console.error(`${page} is up to date.`)
else if (process.argv.includes('--check')) {
  console.error(`${page} is stale: run "node scripts/architecture.mjs".`)
  process.exitCode = 1
} else {
  await writeFile(page, wanted)
  console.error(`${page} is written.`)
}
