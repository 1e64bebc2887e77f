// cairn tail, and pipes that close early.

import { connect } from 'nats'
import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { embedded } from '../../src/backend/embedded.js'
import { logSubject } from '../../src/nats/subjects.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { cairn, run } from '../multinode/harness.js'
import { jsonLines } from './support.js'

const dir = t.testdir()
const program = 'dist/cli/main.js'

/** Runs a shell pipeline; resolves with the exit code of its first command and its stderr. */
function pipeline(command: string, reader: string) {
  const script = `set -o pipefail; ${command} | ${reader}; exit "\${PIPESTATUS[0]}"`
  const args = [
    '-e',
    `
    const { spawnSync } = require('node:child_process')
    const { status, stdout, stderr } = spawnSync('bash', ['-c', ${JSON.stringify(script)}])
    process.stdout.write(stdout); process.stderr.write(stderr); process.exitCode = status
  `,
  ]
  return run(args)
}

await t.test('it follows, filters, limits, and ends at SIGINT', async t => {
  await using server = await startNats()
  const flags = ['--ns', 'tail', '--nats', server.url]
  const store = jetstream({ servers: server.url })
  await using open = await store.open({ namespace: 'tail', nodeId: 'test' })
  const append = (type: string, n: number) =>
    open.store.append({ type, id: 'x' }, [
      { type: 'set', data: n },
      { type: 'kept', data: n },
    ])
  await append('a', 1)
  const all = run([program, 'tail', '--json', ...flags])
  await until(() => all.stderr().includes('after position 1'), {
    describe: 'it follows from now on',
  })
  const onlyB = run([program, 'tail', '--json', '--type', 'b', '--after', '0', ...flags])
  const three = run([program, 'tail', '--json', '--after', '0', '--limit', '3', ...flags])
  await until(() => onlyB.stderr() !== '', { describe: 'the filtered one follows' })
  await append('a', 2)
  await append('b', 3)
  t.equal(await three.ended, 0, '--limit ends it')
  const ids = ({ stdout }: ReturnType<typeof run>) =>
    stdout()
      .trim()
      .split('\n')
      .map(line => (JSON.parse(line) as { id: string }).id)
  await until(() => ids(all).length === 4 && ids(onlyB).length === 2, {
    describe: 'both have printed all',
  })
  t.strictSame(ids(all), ['a/x/3', 'a/x/4', 'b/x/1', 'b/x/2'])
  t.strictSame(ids(onlyB), ['b/x/1', 'b/x/2'])
  t.strictSame(ids(three), ['a/x/1', 'a/x/2', 'a/x/3'])
  all.child.kill('SIGINT')
  onlyB.child.kill('SIGTERM')
  t.strictSame(await Promise.all([all.ended, onlyB.ended]), [0, 0])
  t.equal(all.stderr(), 'Following namespace tail after position 1; Ctrl-C ends it.\n')
})

await t.test(
  'a foreign message in the log is shown, and events after it are read',
  async t => {
    await using server = await startNats()
    const flags = ['--ns', 'strange', '--nats', server.url]
    await cairn('append', 'note/n', 'noted', ...flags)
    const nc = await connect({ servers: server.url })
    t.teardown(() => nc.close())
    await nc
      .jetstream()
      .publish(logSubject('strange', { type: 'note', id: 'n' }, 16), 'hi')
    const next = await cairn('append', 'note/n', 'noted', '--json', ...flags)
    t.strictSame(JSON.parse(next.stdout), { version: 2, position: 3 })
    for (const args of [
      ['read', 'note/n'],
      ['tail', '--after', '0', '--limit', '3'],
    ]) {
      const shown = await cairn(...args, ...flags, '--json')
      t.equal(shown.code, 0, shown.stderr)
      t.match(jsonLines(shown), [
        { id: 'note/n/1' },
        { malformed: true, position: 2, reason: /\w/, raw: 'aGk=' },
        { id: 'note/n/2' },
      ])
      const readable = await cairn(...args, ...flags)
      t.match(readable.lines[1], /^2 {2}MALFORMED {2}/)
    }
  },
)

await t.test('a reader that closes the pipe ends it with code 0', async t => {
  const flags = `--ns pipe --embedded '${dir}'`
  await using open = await embedded({ dir }).open({ namespace: 'pipe', nodeId: 'test' })
  const actor = { type: 'note', id: 'n' }
  const many = Array.from({ length: 1_000 }, () => ({
    type: 'noted',
    data: 'x'.repeat(500),
  }))
  for (let n = 0; n < 5; n++) await open.store.append(actor, many)
  for (const command of ['read note/n', 'tail --after 0']) {
    const ended = pipeline(`node ${program} ${command} --json ${flags}`, 'head -n 1')
    // A tail notices at its next write.
    const more = setInterval(() => void open.store.append(actor, [{ type: 'noted' }]), 50)
    const code = await ended.ended
    clearInterval(more)
    t.equal(code, 0, `${command}: ${ended.stderr()}`)
    t.equal(ended.stdout().split('\n').length, 2, 'one line came through')
    t.notMatch(ended.stderr(), /cairn:|EPIPE|at /, 'nothing is on stderr')
  }
})
