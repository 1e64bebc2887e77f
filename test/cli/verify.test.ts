// cairn verify: lists every history that new code does not fold, and no other.

import t from 'tap'

import { embedded } from '../../src/backend/embedded.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn } from '../multinode/harness.js'
import { until } from '../support/wait.js'
import { jsonLines } from './support.js'

const dir = t.testdir()
const here = ['--ns', 'verify', '--embedded', dir]
const withActors = [...here, '--actors', 'test/support/actors/door.mjs']

async function verify(how: string, ...args: string[]) {
  process.env['DOOR'] = how
  const ended = await cairn('verify', ...args, ...withActors, '--json')
  const { code, stderr } = ended
  const found = jsonLines<{ readonly actor: string }>(ended)
  return { code, stderr, found: found.toSorted((a, b) => (a.actor < b.actor ? -1 : 1)) }
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
  const { code, found, stderr } = await verify('first')
  t.equal(code, 0, stderr)
  t.strictSame(found, [])
  t.equal(stderr, '3 histories were replayed; 0 problems were found.\n')
})

await t.test(
  'each history that does not fold is listed with its version and the reason',
  async t => {
    const { code, found, stderr } = await verify('renamed')
    t.equal(code, 1)
    t.match(found, [
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
        message: /does not accept it in state "shut"/,
      },
    ])
    t.equal(found.length, 2, 'door/back still folds')
    t.match(stderr, /^3 histories were replayed; 2 problems were found/)
    const { found: doors } = await verify('renamed', '--type', 'door')
    t.strictSame(
      doors.map(({ actor }) => actor),
      ['door/front'],
    )
    const { found: one, stderr: only } = await verify('renamed', 'door/back')
    t.strictSame(one, [])
    t.match(only, /^1 history was replayed; 0 problems were found/)
  },
)

await t.test('a migration makes them fold', async t => {
  const { code, found, stderr } = await verify('migrated')
  t.equal(code, 0, stderr)
  t.strictSame(found, [])
})

await t.test('a change under the same version shows by the stored states', async t => {
  const { code, found } = await verify('secretly')
  t.equal(code, 1)
  t.match(found, [{ actor: 'door/front', version: 2, problem: 'differs' }])
  t.equal(found.length, 1)
  process.env['DOOR'] = 'secretly'
  const { stdout } = await cairn('verify', ...withActors)
  t.match(
    stdout,
    /^door\/front at version 2: it folds to another state than the one that is stored/,
  )
})

await t.test('skipped versions are skipped', async t => {
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
  const { found } = await verify('renamed', '--type', 'door')
  t.strictSame(found, [])
})

await t.test('without definitions there is nothing to replay by', async t => {
  const { code, stderr } = await cairn('verify', ...here)
  t.equal(code, 2)
  t.match(stderr, /No definitions are given to replay by: use --actors FILE/)
  const unknown = await cairn('verify', 'cat/1', ...withActors)
  t.equal(unknown.code, 2)
  t.match(
    unknown.stderr,
    /Type "cat" is not defined there: the definitions are of bell, door/,
  )
})

await t.test('timers that a machine does not wait for are listed', async t => {
  const actors = ['--actors', 'test/support/actors/tea.mjs']
  const replay = async () => {
    const ended = await cairn('verify', ...here, ...actors, '--json')
    return { code: ended.code, stderr: ended.stderr, found: jsonLines(ended) }
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
  // A commit without timers is not for the courier.
  const stirred = await cairn('ask', 'tea/a', 'stir', ...here, ...actors)
  t.equal(stirred.code, 0, stirred.stderr)
  const sound = await replay()
  t.equal(sound.code, 0, sound.stderr)
  t.strictSame(sound.found, [])

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
  const { code, found, stderr } = await replay()
  t.equal(code, 1)
  t.match(
    found.toSorted((one, other) =>
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
  t.equal(found.length, 2)
  t.match(stderr, /^3 histories were replayed; 2 problems were found/)

  async function openTimers() {
    const open = await store.open({ namespace: 'verify', nodeId: 'test' })
    return { timers: open.timers, close: () => open.close() }
  }
})
