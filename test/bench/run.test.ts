// The bench as it is typed, on a real server.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'nats'
import t from 'tap'

import { cairn, run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'

const bench = 'bench/main.mjs'

await t.test(
  'a run prints one line a benchmark, of verified work, and keeps it',
  async t => {
    const results = await mkdtemp(join(tmpdir(), 'cairn-bench-results-'))
    t.teardown(() => rm(results, { recursive: true, force: true }))
    const flags = [
      '--quick',
      '--only',
      'append-pipelined',
      '--json',
      '--results',
      results,
    ]
    const program = run([bench, ...flags])
    t.equal(await program.ended, 0, program.stderr())
    const printed = program.stdout().trimEnd().split('\n')
    t.equal(printed.length, 1, 'one line')
    const line = JSON.parse(printed[0]!) as Record<string, number>
    t.match(line, {
      bench: 'append-pipelined',
      unit: 'appends/s',
      runs: 5,
      node: process.version,
      server: /^\d+\.\d+\.\d+/,
      durability: 'R1, fsync every 2 min',
    })
    for (const key of ['value', 'baseline', 'ratio', 'min', 'max', 'p50', 'p99'])
      t.ok(line[key]! > 0, `${key} is ${line[key]}`)
    t.ok(line.min! <= line.value! && line.value! <= line.max!, 'the median is in between')
    t.ok(line.verified! > 0, `${line.verified} appends were found in the log`)
    t.match(program.stderr(), /append-pipelined: run 5 of 5/, 'progress is shown')
    t.match(program.stderr(), /^append-pipelined .*appends\/s/m, 'and a table')

    const [file, ...others] = await readdir(results)
    t.strictSame(others, [], 'one file')
    const [facts, kept] = (await readFile(join(results, file!), 'utf8'))
      .trimEnd()
      .split('\n')
    t.match(JSON.parse(facts!), { machine: { cores: Number, load: Array }, quick: true })
    t.equal(kept, printed[0], 'the line is kept as it was printed')
  },
)

await t.test(
  'cairn bench measures on servers of the user, and leaves nothing there',
  async t => {
    await using server = await startNats()
    const results = await mkdtemp(join(tmpdir(), 'cairn-bench-results-'))
    t.teardown(() => rm(results, { recursive: true, force: true }))
    const flags = ['--quick', '--only', 'append-latency', '--results', results]
    const { code, stderr, lines } = await cairn(
      'bench',
      ...flags,
      '--json',
      '--nats',
      server.url,
    )
    t.equal(code, 0, stderr)
    t.match(JSON.parse(lines[0]!), {
      bench: 'append-latency',
      goal: '<= 1.25',
      met: Boolean,
      durability: `R1, fsync as ${server.url} does it`,
    })
    const connection = await connect({ servers: server.url })
    const manager = await connection.jetstreamManager()
    t.strictSame(await manager.streams.names().next(), [], 'no stream is left')
    await connection.close()
    const refused = await cairn('bench', '--ns', 'x')
    t.equal(refused.code, 2)
    t.match(refused.stderr, /--ns has no meaning here/)
  },
)

await t.test(
  'a benchmark that does not exist is a usage error that names all',
  async t => {
    const program = run([bench, '--only', 'apend'])
    t.equal(await program.ended, 2)
    t.match(program.stderr(), /--only apend: there is no such benchmark.*pause-drain/)
    t.equal(program.stdout(), '')
  },
)

await t.test('--list names every benchmark, with its baseline', async t => {
  const program = run([bench, '--list'])
  t.equal(await program.ended, 0, program.stderr())
  const lines = program.stdout().trimEnd().split('\n')
  for (const name of [
    'pause-drain',
    'pause-kill',
    'append-pipelined',
    'ask-spread',
    'replay',
  ])
    t.ok(
      lines.some(line => line.startsWith(`${name}: `)),
      name,
    )
  t.strictSame(
    lines.filter(line => !line.includes('baseline: ')),
    [],
  )
})
