// Processes that share one embedded directory: nodes, the command line, and this test.

import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { embedded } from '../../src/backend/embedded.js'
import { SocketTransport } from '../../src/cluster/socket.js'
import type { AskOutcome } from '../../src/model/command-sender.js'
import { until } from '../support/wait.js'
import { cairn, run, startNode } from './harness.js'
import { examine, holds, Load } from './load.js'

const root = await mkdtemp(join(tmpdir(), 'cairn-embedded-'))
t.teardown(() => rm(root, { recursive: true, force: true }))

async function place(name: string) {
  const dir = join(root, name)
  await mkdir(dir)
  const flags = ['--ns', 'home', '--embedded', dir]
  return { dir, flags, cards: join(dir, 'home.nodes') }
}

/** Reaches one node and no other: a folder where only its card lies. */
async function wayTo(node: string, cards: string): Promise<SocketTransport> {
  const own = join(await mkdtemp(join(root, 'way-')), 'home.nodes')
  await mkdir(own)
  await cp(join(cards, `${node}.json`), join(own, `${node}.json`))
  return new SocketTransport(join(own, '..'), 'home')
}

await t.test('two nodes and the command line write at once', async t => {
  const { dir, flags, cards } = await place('together')
  await using first = await startNode(...flags, '--demo', '--id', 'first')
  await using second = await startNode(...flags, '--demo', '--id', 'second')
  const ways = [await wayTo('first', cards), await wayTo('second', cards)]
  const acknowledged = new Map<string, { actor: string; version: number }>()
  const deposit = async (worker: number, n: number) => {
    const commandId = `c-${worker}-${n}`
    const actor = { type: 'account', id: `a${n % 10}` }
    const outcome = (await ways[worker % 2]!.request({
      kind: 'ask',
      actor,
      command: 'deposit',
      data: { amount: 1 },
      commandId,
    })) as AskOutcome
    if (outcome.ok)
      acknowledged.set(commandId, { actor: actor.id, version: outcome.version })
  }
  const workers = Array.from({ length: 4 }, async (_, worker) => {
    for (let n = 0; n < 150; n++) await deposit(worker, n)
  })
  const beside = [
    cairn('ask', 'account/a0', 'deposit', '{"amount":1}', ...flags, '--json'),
    cairn('ask', 'account/a0', 'deposit', '{"amount":1}', ...flags, '--demo', '--json'),
    cairn('append', 'account/a0', 'deposited', '{"amount":1}', ...flags, '--json'),
  ]
  await Promise.all(workers)
  const told = await Promise.all(beside)
  t.strictSame(
    told.map(({ code }) => code),
    [0, 0, 0],
    told.map(({ stderr }) => stderr).join(''),
  )
  await using open = await embedded({ dir }).open({ namespace: 'home', nodeId: 'test' })
  const log = await examine(open.store)
  t.equal(acknowledged.size, 600, 'every deposit was acknowledged')
  holds(t, { acknowledged, refused: [], unknown: new Map() }, log)
  for (const { stdout } of told) {
    const { version } = JSON.parse(stdout) as { version: number }
    t.ok(log.versions.get('a0')?.has(version), 'what the command line wrote is there')
  }
  t.ok(log.writers.has('first') && log.writers.has('second'), 'both nodes wrote')
  t.equal(log.versions.get('a0')?.size, 63)
  const state = await cairn('state', 'account/a0', ...flags, '--json')
  t.strictSame(JSON.parse(state.stdout), { version: 63, state: { balance: 63 } })

  t.equal(await first.stop(), 0, 'SIGTERM drains the first')
  t.equal(await second.stop(), 0, 'and the second')
  t.strictSame(await readdir(cards), [], 'neither leaves its card')
})

await t.test('SIGTERM under load exits 0, and no reply is lost', async t => {
  const { dir, flags } = await place('drain')
  const first = await startNode(...flags, '--demo', '--id', 'first')
  await using _second = await startNode(...flags, '--demo', '--id', 'second')
  const load = await Load.start(embedded({ dir }), 'home', { workers: 4 })
  t.teardown(() => load.close())
  await load.more(200, 'before the stop')
  t.equal(await first.stop(), 0)
  await load.more(200, 'after it')
  const result = await load.end()
  const log = await examine(load.store)
  holds(t, result, log)
  t.strictSame([...result.unknown], [], 'every command was answered')
  t.strictSame([...log.writers.keys()].toSorted(), ['first', 'second'])
})

await t.test('SIGKILL under load: the other serves, and the card is cleared', async t => {
  const { dir, flags, cards } = await place('kill')
  const first = await startNode(...flags, '--demo', '--id', 'first')
  await using _second = await startNode(...flags, '--demo', '--id', 'second')
  const load = await Load.start(embedded({ dir }), 'home', { workers: 4 })
  t.teardown(() => load.close())
  await load.more(200, 'before the end of the first')
  await first.kill()
  t.ok((await readdir(cards)).includes('second.json'))
  await load.more(200, 'by the other')
  await until(async () => !(await readdir(cards)).includes('first.json'), {
    describe: 'the card that was left behind is cleared away',
  })
  const result = await load.end()
  holds(t, result, await examine(load.store))
})

await t.test('tail sees what another process stores, as it is stored', async t => {
  const { flags } = await place('tail')
  await cairn('append', 'note/n', 'written', '{"n":1}', ...flags)
  const tail = run(['dist/cli/main.js', 'tail', '--json', '--after', '0', ...flags])
  const seen = () => tail.stdout().split('\n').length - 1
  await until(() => seen() === 1, { describe: 'tail prints what was there' })
  await cairn('append', 'note/n', 'written', '{"n":2}', ...flags)
  await until(() => seen() === 2, { describe: 'tail prints what another process stored' })
  tail.child.kill('SIGTERM')
  t.equal(await tail.ended, 0)
  const events = tail
    .stdout()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { data: unknown })
  t.match(events, [
    { id: 'note/n/1', data: { n: 1 } },
    { id: 'note/n/2', data: { n: 2 } },
  ])
})

await t.test('a file that is no log of ours is refused and left as it is', async t => {
  const { dir, flags } = await place('foreign')
  const file = join(dir, 'home.lmdb')
  const bytes = Buffer.from(
    Array.from({ length: 20_000 }, (_, i) => (i * 7919 + (i >> 3)) & 255),
  )
  await writeFile(file, bytes)
  const attempts = [
    ['append', 'note/n', 'written'],
    ['read', 'note/n'],
    ['ask', 'account/a', 'deposit', '{"amount":1}', '--demo'],
  ]
  for (const attempt of attempts) {
    const { code, stdout, stderr } = await cairn(...attempt, ...flags)
    t.equal(code, 1, stderr)
    t.equal(stdout, '')
    t.match(stderr, /^cairn: [^\n]*home\.lmdb[^\n]*\[foreign-directory\]\n$/)
  }
  const node = run(['dist/node.js', ...flags, '--demo'])
  t.equal(await node.ended, 1)
  t.match(node.stderr(), /^cairn node: [^\n]*home\.lmdb[^\n]*\[foreign-directory\]\n$/)
  t.strictSame(await readFile(file), bytes, 'it is as it was')
  t.strictSame(await readdir(dir), ['home.lmdb'], 'and alone')
})

await t.test('a directory that cannot be is refused', async t => {
  const { dir } = await place('under')
  const file = join(dir, 'a-file')
  await writeFile(file, 'text')
  const flags = ['--ns', 'home', '--embedded', join(file, 'below')]
  const { code, stdout, stderr } = await cairn('append', 'note/n', 'written', ...flags)
  t.equal(code, 1, stderr)
  t.equal(stdout, '')
  t.match(stderr, /^cairn: [^\n]*a-file\/below[^\n]*\[foreign-directory\]\n$/)
  const node = run(['dist/node.js', ...flags, '--demo'])
  t.equal(await node.ended, 1)
  t.match(node.stderr(), /a-file\/below.*Name another directory/)
  t.equal(await readFile(file, 'utf8'), 'text')
  t.strictSame(await readdir(dir), ['a-file'])
})
