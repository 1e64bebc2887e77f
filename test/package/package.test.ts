// The package as users get it: packed, installed into an empty project, imported and run.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

import { bare } from '../support/bare.js'

const project = await mkdtemp(join(tmpdir(), 'cairn-package-'))
t.teardown(() => rm(project, { recursive: true, force: true }))

const execute = promisify(execFile)
const inProject = async (command: string, ...args: string[]) =>
  execute(...bare(command, ...args), { cwd: project, timeout: 90_000 })

const packed = await execute(
  ...bare('npm', 'pack', '--json', '--pack-destination', project),
)
const [pack] = JSON.parse(packed.stdout) as {
  filename: string
  files: { path: string }[]
}[]
const files = pack!.files.map(({ path }) => path)

await t.test('it holds what it needs and nothing else', async t => {
  for (const file of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/node.js',
    'dist/cli/main.js',
  ])
    t.ok(files.includes(file), file)
  const expected =
    /^(dist|src|bench|scripts\/nats)[/-]|^bench\/|^(package\.json|[A-Z]+(\.md)?)$/
  t.strictSame(
    files.filter(file => !expected.test(file)),
    [],
  )
  t.strictSame(
    files.filter(file => /\.test\./.test(file)),
    [],
  )
})

await t.test('an empty project can install, import and run it', async t => {
  await writeFile(
    join(project, 'package.json'),
    JSON.stringify({ name: 'empty', version: '1.0.0', private: true, type: 'module' }),
  )
  const tarball = join(project, pack!.filename)
  await inProject(
    'npm',
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    tarball,
  )
  await writeFile(
    join(project, 'main.js'),
    `import { defineActor, event, memory, startNode } from 'cairn-es'
const counter = defineActor({ type: 'counter', initialState: 0,
  decide: { add: (_state, by) => ({ events: event('added', by), reply: after => after }) },
  evolve: { added: (state, by) => state + by } })
const node = await startNode({ namespace: 'first', store: memory(), actors: [counter] })
const { ok, version, position, reply } = await node.spawn(counter, 'c').ask('add', 3)
console.log({ ok, version, position, reply })
await node.close()
`,
  )
  const ran = await inProject(process.execPath, 'main.js')
  t.equal(ran.stderr, '')
  t.match(ran.stdout, /ok: true, version: 1, position: 1, reply: 3/)

  const help = await inProject('npx', '--no-install', 'cairn', 'help')
  t.match(help.stdout, /^Usage: cairn COMMAND/)
  const benches = await inProject('npx', '--no-install', 'cairn', 'bench', '--list')
  t.match(benches.stdout, /^append-pipelined: .*baseline/m, 'the bench comes with it')
  const stored = ['append', 'note/n', 'noted', '--ns', 'first', '--embedded', '--json']
  t.strictSame(
    JSON.parse((await inProject('npx', '--no-install', 'cairn', ...stored)).stdout),
    { version: 1, position: 1 },
    'and the command line stores',
  )

  const installed = join(project, 'node_modules/cairn-es')
  const manifest = await readFile(join(installed, 'package.json'), 'utf8')
  t.match(JSON.parse(manifest), { name: 'cairn-es', type: 'module' })
  const readNode = await inProject(
    process.execPath,
    join(installed, 'dist/node.js'),
    '--help',
  )
  t.match(readNode.stdout, /^Usage: npx cairn node --ns NS/)
})
