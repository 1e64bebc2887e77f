// cairn verify: every history that new code no longer folds is listed, and no other.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { embedded } from '../../src/backend/embedded.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn } from '../multinode/harness.js'
import { until } from '../support/wait.js'

const dir = await mkdtemp(join(tmpdir(), 'cairn-verify-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
const here = ['--ns', 'verify', '--embedded', dir]
const withActors = [...here, '--actors', 'test/support/actors/door.mjs']

async function verify(how: string, ...args: string[]) {
  process.env['DOOR'] = how
  const { code, lines, stderr } = await cairn('verify', ...args, ...withActors, '--json')
  const told = lines.map(line => JSON.parse(line) as { readonly actor: string })
  return {
    code,
    stderr,
    told: told.toSorted((a, b) => (a.actor < b.actor ? -1 : 1)),
  }
}

await t.test('histories are stored by the first version', async t => {
  process.env['DOOR'] = 'first'
  for (const [actor, command] of [
    ['door/front', 'open'],
    ['door/back', 'knock'],
    ['bell/big', 'ring'],
  ] as const) {
    const { code, stderr } = await cairn('ask', actor, command, ...withActors)
    t.equal(code, 0, stderr)
  }
  const { code, told, stderr } = await verify('first')
  t.equal(code, 0, stderr)
  t.strictSame(told, [])
  t.equal(stderr, '3 histories were replayed; 0 did not come to what is stored.\n')
})

await t.test(
  'each one that no longer folds is named, with its version and why',
  async t => {
    const { code, told, stderr } = await verify('renamed')
    t.equal(code, 1)
    t.match(told, [
      {
        actor: 'bell/big',
        version: 1,
        problem: 'fails',
        message: /no evolve for event "rung"/,
      },
      {
        actor: 'door/front',
        version: 2,
        problem: 'fails',
        message: /no transition for it in state/,
      },
    ])
    t.equal(told.length, 2, 'door/back still folds')
    t.match(stderr, /^3 histories were replayed; 2 did not/)
    const { told: doors } = await verify('renamed', '--type', 'door')
    t.strictSame(
      doors.map(({ actor }) => actor),
      ['door/front'],
    )
    const { told: one, stderr: only } = await verify('renamed', 'door/back')
    t.strictSame(one, [])
    t.match(only, /^1 history was replayed; 0 did not/)
  },
)

await t.test('a migration makes them fold', async t => {
  const { code, told, stderr } = await verify('migrated')
  t.equal(code, 0, stderr)
  t.strictSame(told, [])
})

await t.test('a change under the same version shows by the stored states', async t => {
  const { code, told } = await verify('secretly')
  t.equal(code, 1)
  t.match(told, [{ actor: 'door/front', version: 2, problem: 'differs' }])
  t.equal(told.length, 1)
  process.env['DOOR'] = 'secretly'
  const { stdout } = await cairn('verify', ...withActors)
  t.match(
    stdout,
    /^door\/front at version 2: it folds to another state than the one that is stored/,
  )
})

await t.test('what an operator has had passed over is passed over', async t => {
  process.env['DOOR'] = 'renamed'
  const skipped = await cairn(
    'actor',
    'skip',
    'door/front',
    '--version',
    '2',
    ...withActors,
  )
  t.equal(skipped.code, 0, skipped.stderr)
  const { told } = await verify('renamed', '--type', 'door')
  t.strictSame(told, [])
})

await t.test('without definitions there is nothing to replay by', async t => {
  const { code, stderr } = await cairn('verify', ...here)
  t.equal(code, 2)
  t.match(stderr, /Nothing is given to replay by: use --actors FILE/)
  const unknown = await cairn('verify', 'cat/1', ...withActors)
  t.equal(unknown.code, 2)
  t.match(unknown.stderr, /Type "cat" is not defined there, but bell, door/)
})

await t.test('timers that are not what a machine waits for are told', async t => {
  const actors = ['--actors', 'test/support/actors/tea.mjs']
  const replay = async () => {
    const { code, lines, stderr } = await cairn('verify', ...here, ...actors, '--json')
    return { code, stderr, told: lines.map(line => JSON.parse(line) as object) }
  }
  const { tea } = await import('../support/actors/tea.mjs')
  const store = embedded({ dir })
  const brew = {
    drawn: 'xstate.after.drawn.tea.drawing',
    cold: 'cup#xstate.after.cold.cup.hot',
  }
  {
    await using node = await startNode({ namespace: 'verify', store, actors: [tea] })
    for (const id of ['a', 'b', 'c']) await node.spawn(tea, id).ask('pour')
    await until(
      async () => {
        let count = 0
        for await (const _ of node.timers()) count++
        return count === 6
      },
      { describe: 'all timers are set', timeout: 60_000 },
    )
  }
  // What says nothing of timers is not the courier's.
  const stirred = await cairn('ask', 'tea/a', 'stir', ...here, ...actors)
  t.equal(stirred.code, 0, stirred.stderr)
  const sound = await replay()
  t.equal(sound.code, 0, sound.stderr)
  t.strictSame(sound.told, [])

  const { timers, close } = await openTimers()
  const [a, b] = ['a', 'b'].map(id => ({ type: 'tea', id }))
  const wrong = {
    generation: 100_000,
    occurrence: 0,
    type: 'x',
    data: undefined,
    commitPosition: 1,
  }
  const at = Date.parse('2100-01-01')
  await timers.cancel(a!, brew.cold, Infinity)
  await timers.set({ ...wrong, actor: b!, name: brew.drawn, at })
  await timers.set({ ...wrong, actor: b!, name: 'other', at })
  await close()
  const { code, told, stderr } = await replay()
  t.equal(code, 1)
  t.match(
    told.toSorted((one, other) =>
      JSON.stringify(one).localeCompare(JSON.stringify(other)),
    ),
    [
      {
        actor: 'tea/a',
        version: 3,
        problem: 'timers',
        message:
          /^it waits for timer "cup#xstate\.after\.cold\.cup\.hot", due .*, which is not set\.$/,
      },
      {
        actor: 'tea/b',
        problem: 'timers',
        message:
          /^timer "other" is set, due 2100-01-01T00:00:00\.000Z, and it does not wait for it; timer "xstate\.after\.drawn\.tea\.drawing" is set for 2100.*, and it waits for/,
      },
    ],
  )
  t.equal(told.length, 2)
  t.match(stderr, /^3 histories were replayed; 2 did not/)

  async function openTimers() {
    const open = await store.open({ namespace: 'verify', nodeId: 'test' })
    return { timers: open.timers, close: () => open.close() }
  }
})
