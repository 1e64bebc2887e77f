// The help: the overview, each command, and the node.

import { readFile } from 'node:fs/promises'
import t from 'tap'

import { commandNames } from '../../src/cli/commands.js'
import { cairn, run } from '../multinode/harness.js'
import { jsonLines } from './support.js'

const common = ['--ns NS', '--nats URL', '--creds FILE', '--embedded [DIR]', '--json']
const codes =
  'Exit codes: 0 ok, 1 refused or failed, 2 usage, 3 unreachable, 4 version conflict.'

await t.test(
  'cairn help lists every command, the common flags and the exit codes',
  async t => {
    const help = await cairn('help')
    t.equal(help.code, 0)
    t.equal(help.stderr, '')
    for (const name of commandNames)
      t.match(help.stdout, new RegExp(`^  ${name} +\\w`, 'm'))
    for (const flag of common) t.ok(help.stdout.includes(`  ${flag}`), flag)
    t.ok(help.stdout.includes(codes.replace('.', ', 5 to be watched (doctor).')))
    for (const args of [['--help'], ['-h'], []]) {
      const same = await cairn(...args)
      t.strictSame([same.code, same.stdout], [0, help.stdout], args.join(' ') || 'bare')
    }
  },
)

await t.test('cairn --version prints the version of the package', async t => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as {
    version: string
  }
  for (const flag of ['--version', '-v'])
    t.strictSame((await cairn(flag)).lines, [`cairn ${version}`])
  t.match(jsonLines(await cairn('--version', '--json')), [
    { version, node: process.version },
  ])
})

const programs = new Set(['node'])

for (const name of commandNames)
  await t.test(`cairn ${name} --help shows how it is used`, async t => {
    const help = await cairn(name, '--help')
    t.equal(help.code, 0, 'without a namespace, an address or a server')
    t.equal(help.stderr, '')
    t.match(help.stdout, new RegExp(`^Usage: cairn ${name}`))
    const [usage] = help.stdout.split('\n')
    for (const [flag] of usage!.matchAll(/--[a-z-]+/g))
      t.match(help.stdout, new RegExp(`^  ${flag} [A-Z].*  \\w|^  .*${flag}`, 'm'), flag)
    const isProgram = programs.has(name)
    for (const flag of isProgram ? common.slice(0, -1) : common)
      t.ok(help.stdout.includes(`  ${flag}`), flag)
    t.match(help.stdout, isProgram ? /Exit codes: 0/ : codes)
    t.equal((await cairn('help', name)).stdout, help.stdout)
    t.equal((await cairn(name, '-h')).stdout, help.stdout)
  })

await t.test('the node shows its flags', async t => {
  const node = run(['dist/node.js', '--help'])
  t.equal(await node.ended, 0)
  t.equal(node.stderr(), '')
  const flags = [
    '--id ID',
    '--actors FILE',
    '--demo',
    '--replicas N',
    '--log-level LEVEL',
  ]
  for (const flag of [...flags, ...common.slice(0, -1)])
    t.ok(node.stdout().includes(`  ${flag}`), flag)
})
