// Reading creates nothing; namespaces are listed, created and removed.

import { readdir } from 'node:fs/promises'
import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { memory } from '../../src/backend/memory.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn, run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { homesOf, isRefused, jsonLines } from './support.js'

await using server = await startNats()
const dir = t.testdir()

const readings = [
  ['read', 'account/alice'],
  ['state', 'account/alice'],
  ['ask', 'account/alice', 'deposit', '1'],
  ['tail', '--after', '0', '--limit', '1'],
  ['actors'],
  ['nodes'],
  ['timers'],
  ['messages'],
  ['projections'],
  ['versions'],
  ['dlq', 'list'],
  ['actor', 'pause', 'account/alice', '--reason', 'x'],
]

for (const { name, store, flags } of homesOf(server, dir))
  await t.test(`reading creates nothing, on ${name}`, async t => {
    t.match(await cairn('namespaces', 'list', ...flags), { code: 0, stdout: '' })
    await cairn('namespaces', 'create', 'tenant-a', ...flags)
    for (const command of readings)
      isRefused(t, await cairn(...command, '--ns', 'tenat-a', ...flags), {
        code: 1,
        says: /There is no namespace "tenat-a".*Did you mean tenant-a\?.* namespaces create tenat-a --(?:nats nats:|embedded \/)/,
      })
    t.strictSame(await store.namespaces!(), ['tenant-a'])
    const listed = await cairn('namespaces', 'list', '--json', ...flags)
    t.strictSame(jsonLines(listed), [{ namespace: 'tenant-a' }])
    await t.rejects(startNode({ namespace: 'typo', store, create: false }), {
      code: 'unknown-namespace',
    })
    t.strictSame(await store.namespaces!(), ['tenant-a'])
  })

for (const { name, store, flags } of homesOf(server, dir))
  await t.test(`a namespace is created and removed, on ${name}`, async t => {
    const namespaces = (...args: string[]) => cairn('namespaces', ...args, ...flags)
    t.match(await namespaces('create', 'gone'), { code: 0, stdout: /gone is created/ })
    t.match(await namespaces('create', 'gone'), { stdout: /gone exists already/ })
    await cairn('append', 'a/1', 'made', '--ns', 'gone', ...flags)
    {
      await using node = await startNode({ namespace: 'gone', store, serve: true })
      isRefused(t, await namespaces('remove', 'gone', '--yes'), {
        code: 1,
        says: new RegExp(`in use by ${node.id}: stop these nodes first`),
      })
    }
    t.match(await namespaces('remove', 'gone', '--dry-run'), {
      code: 0,
      stdout: /gone with 1 commits would be removed/,
    })
    isRefused(t, await namespaces('remove', 'gone'), { code: 2, says: /pass --yes/ })
    t.match(await namespaces('remove', 'gone', '--yes'), {
      code: 0,
      stdout: /gone with 1 commits is removed/,
    })
    t.notOk((await store.namespaces!()).includes('gone'))
    isRefused(t, await namespaces('remove', 'gone', '--yes'), {
      code: 1,
      says: /no namespace "gone"/,
    })
    if (name === 'embedded')
      t.strictSame(
        (await readdir(dir)).filter(file => file.startsWith('gone')),
        [],
      )
  })

await t.test('wrong arguments are refused', async t => {
  const flags = ['--embedded', dir]
  const wrong: [string[], RegExp][] = [
    [[], /list\|create\|remove is missing/],
    [['drop'], /"drop" is not known here/],
    [['create'], /NS is missing/],
    [['create', 'x', '--ns', 'y'], /--ns has no meaning here/],
  ]
  for (const [args, says] of wrong)
    isRefused(t, await cairn('namespaces', ...args, ...flags), { code: 2, says })
})

await t.test('a node creates by default, and says so; in memory, too', async t => {
  const lines: string[] = []
  const say = (_: object, message: string) => void lines.push(message)
  const log = { debug: () => {}, info: say, warn: say, error: say }
  const store = memory()
  await t.rejects(startNode({ namespace: 'new', store, create: false, log }), {
    code: 'unknown-namespace',
  })
  await using node = await startNode({ namespace: 'new', store, log })
  t.match(lines, ['namespace created', 'node ready'])
  await using other = await startNode({ namespace: 'new', store, create: false, log })
  t.equal(lines.filter(line => line === 'namespace created').length, 1)
  t.equal(node.namespace, other.namespace)
})

await t.test('a node without actors is shown, and --no-create is obeyed', async t => {
  const flags = ['--nats', server.url]
  const refused = run(['dist/node.js', '--ns', 'none', '--no-create', ...flags])
  t.equal(await refused.ended, 1)
  t.match(refused.stderr(), /There is no namespace "none"/)
  const program = run(['dist/node.js', '--ns', 'plain', '--id', 'bare', ...flags])
  await until(() => program.stdout().includes('node ready'))
  t.match(program.stdout(), 'namespace created')
  const nodes = await cairn('nodes', '--ns', 'plain', ...flags)
  t.match(nodes, { code: 0, stdout: /^bare .*no actors/m })
  program.child.kill('SIGTERM')
  t.equal(await program.ended, 0)
  t.ok((await jetstream({ servers: server.url }).namespaces!()).includes('plain'))
})
