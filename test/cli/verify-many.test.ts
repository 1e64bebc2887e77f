// cairn verify among some thousands of actors: everything that new code cannot continue is named, and nothing else. A million of
// them: verify-many.long.ts.

import t from 'tap'

import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { evolving, plant } from './planted.js'
import { homesOf, jsonLines } from './support.js'

await using server = await startNats()

for (const { name, store, flags } of homesOf(server, t.testdir()))
  await t.test(
    `among 3,000 actors each planted problem is found, on ${name}`,
    async t => {
      const expected = await plant(store, 'many', {
        sound: 1_500,
        paid: 1_410,
        broken: 15,
        parked: 10,
        filling: 10,
        kept: 10,
        orphaned: 15,
        unlucky: 10,
        negative: 10,
        twice: 10,
      })
      process.env['EVOLVED'] = 'yes'
      const where = ['--ns', 'many', ...flags, '--actors', evolving]
      const ended = await cairn('verify', ...where, '--json')
      t.equal(ended.code, 1, ended.stderr)
      const found = jsonLines<Record<'actor' | 'problem' | 'message', string>>(ended)
      t.strictSame(
        found.map(({ actor, problem }) => `${actor} ${problem}`).toSorted(),
        expected,
      )
      t.equal(
        ended.stderr,
        `3000 histories were replayed; ${expected.length} problems were found.\n`,
      )
      const messageOf = (actor: string, problem: string) =>
        found.find(one => one.actor === actor && one.problem === problem)?.message
      t.match(
        messageOf('valve/broken-0', 'dead-end'),
        /^it is in state "broken", which is not final and which nothing leads out of, although it accepts events: .* --end valve\.broken$/,
      )
      t.match(messageOf('valve/parked-0', 'missing-state'), /has no "valve\.parked"/)
      t.match(messageOf('valve/filling-0', 'unknown-child'), /child "pump" runs "pump"/)
      t.match(messageOf('order/orphaned-0', 'timers'), /sends command "expire", which/)
      t.match(messageOf('order/twice-0', 'event'), /order\/twice-0\/3.*a negative number/)
      const meant = await cairn('verify', ...where, '--end', 'valve.broken', '--json')
      t.notMatch(meant.stdout, '"dead-end"', 'an end that is meant is none')
      const one = await cairn('verify', 'order/orphaned-3', ...where, '--json')
      t.match(jsonLines(one), [{ actor: 'order/orphaned-3', problem: 'timers' }])
      const sound = await cairn('verify', 'order/kept-3', ...where)
      t.equal(sound.code, 0, sound.stdout)
    },
  )
