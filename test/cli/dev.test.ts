// cairn dev and cairn node: a server is started if there is none, definitions may be TypeScript, and a changed file is
// loaded.

import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import t from 'tap'

import { randomPort } from '../../scripts/nats-server.mjs'
import { cairn, run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const patience = { timeout: 30_000 }
const program = resolve('dist/cli/main.js')
const source = (factor: number) => `import { defineActor, event } from 'cairn-es'
import { Name } from './names.js'
export const counter = defineActor({
  type: 'counter',
  version: ${factor},
  initialState: 0,
  decide: { add: (_state: number, by: number) => ({ events: event(Name.added, by), reply: (after: number) => after }) },
  evolve: { added: (state: number, by: number) => state + by * ${factor} },
})
`

/** A project with its own sources, where the package is installed. */
async function projectAt(dir: string): Promise<void> {
  await mkdir(join(dir, 'src'), { recursive: true })
  await mkdir(join(dir, 'node_modules'))
  await symlink(resolve('.'), join(dir, 'node_modules', 'cairn-es'))
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  await writeFile(join(dir, 'src/names.ts'), `export enum Name { added = 'added' }\n`)
  await writeFile(join(dir, 'src/counter.ts'), source(1))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const bare = { NATS_URL: '', CAIRN_NS: '', CAIRN_EMBEDDED: '' }

await t.test(
  'cairn dev starts a server and runs TypeScript, again after each change',
  async t => {
    const dir = t.testdir()
    await projectAt(dir)
    const port = randomPort()
    const dev = run(
      [program, 'dev', '--actors', 'src/counter.ts', '--port', String(port)],
      bare,
      dir,
    )
    t.teardown(() => dev.child.kill('SIGKILL'))
    const ready = (times: number) =>
      until(() => {
        if (dev.child.exitCode !== null) throw new Error(dev.stderr())
        return dev.stdout().split('node ready').length > times
      }, patience)
    const url = `nats://127.0.0.1:${port}`
    const add = () => cairn('ask', 'counter/c', 'add', '2', '--ns', 'dev', '--nats', url)
    await ready(1)
    t.match(dev.stderr(), `started here with its data in .cairn/dev/nats`)
    t.match((await add()).stdout, /at version 1 .*: 2$/m)
    await writeFile(join(dir, 'src/counter.ts'), source(10))
    await ready(2)
    t.match((await add()).stdout, /at version 2 .*: 40$/m)

    await writeFile(join(dir, 'src/names.ts'), 'export enum Name {')
    await until(() => /The node has ended \(1\)/.test(dev.stderr()), patience)
    t.match(dev.stderr(), /the module cannot be loaded/)
    await writeFile(join(dir, 'src/names.ts'), `export enum Name { added = 'added' }\n`)
    await ready(3)

    dev.child.kill('SIGINT')
    t.equal(await dev.ended, 0, 'it drains, and stops what it has started')
    t.equal((await cairn('actors', '--ns', 'dev', '--nats', url)).code, 3)
  },
)

await t.test('cairn dev uses what it is given, and names a missing file', async t => {
  await using server = await startNats()
  const dir = t.testdir()
  const dev = run(
    [program, 'dev', '--nats', server.url, '--ns', 'mine', '--json'],
    bare,
    dir,
  )
  t.teardown(() => dev.child.kill('SIGKILL'))
  await until(() => dev.stdout().includes('"node ready"'), patience)
  const asked = await cairn(
    'ask',
    'account/a',
    'balance',
    '--ns',
    'mine',
    '--nats',
    server.url,
  )
  t.equal(asked.code, 0, 'without definitions it runs the demo')
  dev.child.kill('SIGTERM')
  t.equal(await dev.ended, 0)

  const none = run([program, 'dev', '--actors', 'none.ts'], {}, dir)
  t.equal(await none.ended, 2)
  t.match(
    none.stderr(),
    /--actors none\.ts: there is no such file\. Write one that exports/,
  )
})

await t.test(
  'cairn dev keeps its data in a directory where there is no server',
  async t => {
    const dir = t.testdir()
    const port = randomPort()
    const env = { ...bare, CAIRN_NATS_SERVER: '', CAIRN_CACHE: join(dir, 'cache') }
    const dev = run([program, 'dev', '--port', String(port), '--json'], env, dir)
    t.teardown(() => dev.child.kill('SIGKILL'))
    await until(() => dev.stdout().includes('"node ready"'), patience)
    t.match(dev.stderr(), /\.cairn\/dev, since no nats-server is here/)
    dev.child.kill('SIGTERM')
    t.equal(await dev.ended, 0)
  },
)

await t.test('the node of cairn dev ends with it, however it ends', async t => {
  for (const signal of ['SIGKILL', 'SIGHUP'] as const) {
    const dir = t.testdir({ [signal]: {} })
    const args = [program, 'dev', '--embedded', 'data', '--json']
    const dev = run(args, bare, join(dir, signal))
    t.teardown(() => dev.child.kill('SIGKILL'))
    await until(() => dev.stdout().includes('"node ready"'), patience)
    const [, pid] = /"pid":(\d+)/.exec(dev.stdout())!
    dev.child.kill(signal)
    await dev.ended
    await until(() => !isAlive(Number(pid)), patience)
    t.pass(`${signal} leaves no process behind`)
  }
})

await t.test('cairn dev passes --http on, and names the nodes’ types', async t => {
  const dir = t.testdir()
  const port = randomPort()
  const where = ['--embedded', 'data']
  const dev = run(
    [program, 'dev', ...where, '--json', '--http', `127.0.0.1:${port}`],
    bare,
    dir,
  )
  t.teardown(() => dev.child.kill('SIGKILL'))
  await until(() => dev.stdout().includes('"node ready"'), patience)
  // Its own data are no source files, although they lie below this directory.
  t.notMatch(dev.stderr(), /has changed/)
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
  t.equal(answer.status, 200)
  const asked = await cairn(
    'ask',
    'acount/a',
    'deposit',
    '--ns',
    'dev',
    '--embedded',
    join(dir, 'data'),
  )
  t.equal(asked.code, 3)
  t.match(
    asked.stderr,
    /The nodes that run host account, trip\. Did you mean account\? \[no-node\]/,
  )
  t.notMatch(dev.stderr(), /has changed/)
  dev.child.kill('SIGTERM')
  t.equal(await dev.ended, 0)
})

await t.test('the demo names the store of the environment in its advice', async t => {
  const dir = t.testdir()
  const args = [program, 'node', '--ns', 'n', '--demo']
  const node = run(args, { ...bare, CAIRN_EMBEDDED: 'data' }, dir)
  t.teardown(() => node.child.kill('SIGKILL'))
  await until(() => node.stdout().includes('"node ready"'), patience)
  await until(() => node.stderr().includes('state account/alice'), patience)
  t.match(node.stderr(), / read account\/alice --ns n --embedded data$/m)
  node.child.kill('SIGTERM')
  t.equal(await node.ended, 0)
})

await t.test('cairn node is the node', async t => {
  const dir = t.testdir()
  await projectAt(dir)
  const node = run(
    [program, 'node', '--ns', 'n', '--embedded', 'data', '--actors', 'src/counter.ts'],
    {},
    dir,
  )
  t.teardown(() => node.child.kill('SIGKILL'))
  await until(() => node.stdout().includes('"node ready"'), patience)
  const where = ['--ns', 'n', '--embedded', join(dir, 'data')]
  t.match((await cairn('ask', 'counter/c', 'add', '1', ...where)).stdout, /at version 1/)
  node.child.kill('SIGTERM')
  t.equal(await node.ended, 0)
  t.match(node.stdout(), /"node stopped"/)
  const wrong = run([program, 'node', '--ns', 'n', '--timers', 'never'], {}, dir)
  t.equal(await wrong.ended, 2)
  t.match(wrong.stderr(), /^cairn node: --timers is "never"/)
})
