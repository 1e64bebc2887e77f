// Every command line in the docs is one that the programs take: their own parser judges it,
// by `--help` at its end. npm scripts and files that are named exist.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

import { run } from '../multinode/harness.js'
import { blocksOf, findPages, readPage, root } from './markdown.js'

interface Line {
  readonly where: string
  readonly words: readonly string[]
}

const lines = findPages()
  .flatMap(blocksOf)
  .filter(({ info }) => info === 'sh')
  .flatMap(({ page, line, text }) =>
    commandsIn(text).map((words): Line => ({ where: `${page}:${line}`, words })),
  )

/** The commands of a script as words, without quotes and comments. */
function commandsIn(script: string): string[][] {
  const commands: string[][] = [[]]
  const pattern = /'([^']*)'|"([^"]*)"|(#[^\n]*)|(\\\n)|(\n|&&|\|\||[|;&])|([^\s'"|;&]+)/g
  for (const [, single, double, comment, joined, end, word] of script.matchAll(pattern)) {
    if (comment !== undefined || joined !== undefined) continue
    if (end !== undefined) commands.push([])
    else commands.at(-1)!.push(single ?? double ?? word!)
  }
  // NAME=value before a command is its environment.
  return commands
    .map(words => words.slice(words.findIndex(word => !/^\w+=/.test(word))))
    .filter(words => words.length > 0)
}

const cli = /^(?:.*\/)?dist\/cli\/main\.js$/
const node = /^(?:.*\/)?dist\/node\.js$/

/** The program of Cairn that a line runs, with its arguments. */
function ownProgram(words: readonly string[]): string[] | undefined {
  const [first, second, ...rest] = words
  if (first === 'cairn') return ['dist/cli/main.js', ...words.slice(1)]
  if (first === 'npx' && second === 'cairn') return ['dist/cli/main.js', ...rest]
  if (first !== 'node' || second === undefined) return undefined
  if (cli.test(second)) return ['dist/cli/main.js', ...rest]
  if (node.test(second)) return ['dist/node.js', ...rest]
  return undefined
}

await t.test('the programs accept every command line of the docs', async t => {
  const own = lines.flatMap(({ where, words }) => {
    const program = ownProgram(words)
    return program === undefined ? [] : [{ where, program }]
  })
  t.ok(own.length > 20, `${own.length} lines`)
  const seen = new Set<string>()
  for (const { where, program } of own) {
    // The shell handles redirections. What follows "--" are the arguments of another program.
    const end = program.findIndex(word => word === '--' || /^\d?>/.test(word))
    const args = end < 0 ? program : program.slice(0, end)
    const key = args.join(' ')
    if (seen.has(key)) continue
    seen.add(key)
    const child = run([...args, '--help'])
    const code = await child.ended
    t.equal(code, 0, `${where}: ${key} ${child.stderr()}`)
  }
})

await t.test('npm scripts and files that the docs run exist', async t => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  for (const { where, words } of lines) {
    const [first, second, third] = words
    if (first === 'npm' && second === 'run')
      t.ok(third !== undefined && third in scripts, `${where}: npm run ${third}`)
    if (
      first === 'node' &&
      second !== undefined &&
      /^(scripts|examples)\//.test(second)
    ) {
      const source = second.replace('examples/dist/', 'examples/').replace(/\.js$/, '.ts')
      t.ok(existsSync(join(root, source)), `${where}: ${second}`)
    }
  }
})

await t.test(
  'docs/cli.md contains the usage and every flag of every command',
  async t => {
    const page = readPage('docs/cli.md')
    const overview = run(['dist/cli/main.js', 'help'])
    t.equal(await overview.ended, 0)
    const commands = [...overview.stdout().matchAll(/^ {2}([a-z]+) {2,}/gm)].map(
      found => found[1]!,
    )
    t.ok(commands.length > 3)
    const helps = [
      ...commands.map(name => ['dist/cli/main.js', name, '--help']),
      ['dist/node.js', '--help'],
    ]
    for (const args of helps) {
      const program = run(args)
      t.equal(await program.ended, 0, args.join(' '))
      const [, usage] = /^Usage: (.*)$/m.exec(program.stdout()) ?? []
      t.ok(page.includes(usage!), `the page contains "${usage}"`)
      for (const [flag] of program.stdout().matchAll(/--[a-z-]+/g))
        t.ok(page.includes(`\`${flag}`), `the page lists ${flag} (${args.join(' ')})`)
    }
  },
)
