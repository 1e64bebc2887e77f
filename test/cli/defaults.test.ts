// Where the command line finds the namespace and the store: flags, then the environment, then the config file.

import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import t from 'tap'

import {
  backendOf,
  namespaceOf,
  parseFlags,
  withConfig,
} from '../../src/program/flags.js'
import { run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'

const dir = t.testdir({
  'one.json': JSON.stringify({ streams: { shop: {} } }),
  'kept.json': JSON.stringify({ defaults: { namespace: 'kept', embedded: 'data' } }),
  'broken.json': '{',
  'wrong.json': JSON.stringify({ defaults: { namespace: 'Not OK' } }),
  'two.json': JSON.stringify({
    brokers: {
      a: { servers: 'nats://127.0.0.1:1' },
      b: { servers: 'nats://127.0.0.1:2' },
    },
    streams: { left: { broker: 'a' }, right: { broker: 'b' } },
  }),
})
const at = (name: string) => join(dir, name)
const flagsOf = (...args: string[]) => withConfig(parseFlags(args, {}), {})

await t.test('the namespace is that of a flag, else of the file', async t => {
  t.equal(namespaceOf(await flagsOf('--config', at('one.json'))), 'shop')
  t.equal(namespaceOf(await flagsOf('--config', at('kept.json'))), 'kept')
  t.equal(namespaceOf(await flagsOf('--config', at('kept.json'), '--ns', 'x')), 'x')
  const two = await flagsOf('--config', at('two.json'))
  t.throws(() => namespaceOf(two), /No namespace is given/)
})

await t.test(
  'the store is that of a flag, else of the environment, else of the file',
  async t => {
    const kept = await flagsOf('--config', at('kept.json'))
    const two = await flagsOf('--config', at('two.json'), '--ns', 'right')
    t.equal(backendOf(kept, {}).kind, 'embedded')
    t.equal(backendOf(kept, { NATS_URL: 'nats://127.0.0.1:3' }).kind, 'jetstream')
    t.equal(backendOf(two, {}).kind, 'jetstream')
    t.equal(backendOf(two, { CAIRN_EMBEDDED: dir }).kind, 'embedded')
    await t.rejects(
      backendOf(two, {}).open({ namespace: 'right', nodeId: 'x' }),
      /127\.0\.0\.1:2/,
    )
    const other = await flagsOf('--config', at('two.json'), '--ns', 'other')
    t.throws(() => backendOf(other, {}), /several brokers, and no stream "other"/)
    const named = await flagsOf(
      '--config',
      at('two.json'),
      '--nats',
      'nats://127.0.0.1:4',
    )
    await t.rejects(
      backendOf(named, {}).open({ namespace: 'x', nodeId: 'x' }),
      /127\.0\.0\.1:4/,
    )
  },
)

await t.test('a file that cannot be read is an error that names it', async t => {
  await t.rejects(flagsOf('--config', at('broken.json')), /broken\.json/)
  await t.rejects(flagsOf('--config', at('wrong.json')), /defaults\.namespace/)
  await t.rejects(flagsOf('--config', at('none.json')), /none\.json/)
})

await t.test(
  'a config file of the directory is found, and is no trouble where it is not needed',
  async t => {
    await using server = await startNats()
    const here = join(dir, 'here')
    await mkdir(here)
    const file = join(here, 'cairn.config.yaml')
    await writeFile(
      file,
      `brokers:\n  main:\n    servers: ${server.url}\nstreams:\n  shop: {}\n`,
    )
    const cairnHere = async (...args: string[]) => {
      const env = { NATS_URL: '', CAIRN_NS: '' }
      const program = run([resolve('dist/cli/main.js'), ...args], env, here)
      return {
        code: await program.ended,
        stdout: program.stdout(),
        stderr: program.stderr(),
      }
    }
    t.match(await cairnHere('append', 'note/n', 'noted'), {
      code: 0,
      stdout: /at version 1/,
    })
    t.match(await cairnHere('read', 'note/n', '--json'), { code: 0, stdout: /noted/ })
    await writeFile(file, 'streams: [')
    t.match(await cairnHere('read', 'note/n'), { code: 2, stderr: /cairn\.config\.yaml/ })
    const named = ['--ns', 'shop', '--nats', server.url]
    t.match(await cairnHere('read', 'note/n', ...named), { code: 0, stdout: /noted/ })
  },
)
