// The package as users get it: packed, installed into an empty project, imported and run.

import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

import { bare } from '../support/bare.js'

const project = await mkdtemp(join(tmpdir(), 'cairn-package-'))
t.teardown(() => rm(project, { recursive: true, force: true }))

const execute = promisify(execFile)
const quietly = ['--prefer-offline', '--no-audit', '--no-fund']
type Failed = { stdout: string; stderr: string }
const inProject = async (command: string, ...args: string[]) =>
  execute(...bare(command, ...args), { cwd: project, timeout: 90_000 })

interface Packed {
  filename: string
  size: number
  files: { path: string }[]
}

async function pack(folder: string): Promise<Packed> {
  const { stdout } = await execute(
    ...bare('npm', 'pack', folder, '--json', '--pack-destination', project),
  )
  return (JSON.parse(stdout) as [Packed])[0]
}

const packed = await pack('.')
const files = packed.files.map(({ path }) => path)

await t.test('it holds what it needs and nothing else', async t => {
  for (const file of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/node.js',
    'dist/cli/main.js',
  ])
    t.ok(files.includes(file), file)
  const expected =
    /^dist\/.*(\.js|\.d\.ts)$|^scripts\/nats[/-]|^(package\.json|[A-Z]+(\.md)?)$/
  t.strictSame(
    files.filter(file => !expected.test(file)),
    [],
  )
  t.strictSame(
    files.filter(file => /\.test\./.test(file)),
    [],
  )
  t.ok(packed.size <= 600_000, `at most 600 kB packed: ${packed.size}`)
})

await t.test('an empty project can install, import and run it', async t => {
  await writeFile(
    join(project, 'package.json'),
    JSON.stringify({ name: 'empty', version: '1.0.0', private: true, type: 'module' }),
  )
  const tarball = join(project, packed.filename)
  await inProject('npm', 'install', ...quietly, tarball)
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
  const bench = ['npx', '--no-install', 'cairn', 'bench', '--list'] as const
  const refused = await inProject(...bench).catch((error: unknown) => error as Failed)
  t.match(refused.stderr, /npm install @cairn-es\/bench/, 'the bench is a package')
  await inProject(
    'npm',
    'install',
    ...quietly,
    join(project, (await pack('./bench')).filename),
  )
  const benches = await inProject(...bench)
  t.match(benches.stdout, /^append-pipelined: .*baseline/m, 'and works when installed')
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

await t.test('a release leads to where it comes from', async t => {
  const clone = join(project, 'clone')
  for (const name of ['package.json', 'README.md', 'packages/grpc/package.json'])
    await cp(name, join(clone, name))
  for (const name of ['packages/console', 'bench'])
    for (const file of ['package.json', 'README.md'])
      await cp(join(name, file), join(clone, name, file))
  const script = ['scripts/published-links.mjs', '--root', clone]
  const address = 'https://host.example/someone/cairn'
  await execute(...bare(process.execPath, ...script, '--url', address, '--ref', 'v9.9.9'))
  for (const folder of ['', 'packages/grpc', 'packages/console', 'bench'])
    t.match(JSON.parse(await readFile(join(clone, folder, 'package.json'), 'utf8')), {
      repository: { type: 'git', url: `git+${address}.git` },
      homepage: `${address}#readme`,
      bugs: `${address}/issues`,
    })
  const readme = await readFile(join(clone, 'README.md'), 'utf8')
  t.match(readme, `](${address}/blob/v9.9.9/docs/actors.md)`)
  t.match(readme, `](${address}/raw/v9.9.9/docs/pictures/statechart.png)`)
  t.notMatch(readme, /\]\((?!https:|#)/, 'no link is left that a package cannot follow')
  t.match(
    await readFile(join(clone, 'bench/README.md'), 'utf8'),
    `](${address}/blob/v9.9.9/docs/benchmarks.md)`,
  )

  const unnamed = await execute(...bare(process.execPath, ...script), {
    env: { PATH: process.env['PATH'] },
  }).catch((error: unknown) => error as Failed)
  t.match(unnamed.stderr, /Name the repository and the tag/)
})
