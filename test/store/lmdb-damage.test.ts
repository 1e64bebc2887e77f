// Damaged files of the embedded store: each is refused, or the damage is named where it is read. None ends the process.

import { execFile } from 'node:child_process'
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  open,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import t from 'tap'

import { CairnError } from '../../src/model/errors.js'
import {
  acquireEnvironment,
  releaseEnvironment,
} from '../../src/store/lmdb/environment.js'
import { checkFile } from '../../src/store/lmdb/check-file.js'
import {
  account,
  actorOf,
  collect,
  deposits,
  mustAppend,
  span,
} from '../contract/store/support.js'
import { bare } from '../support/bare.js'
import { LmdbFixture } from '../support/lmdb-fixture.js'

async function refusal(work: Promise<unknown>): Promise<CairnError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof CairnError) return error
  throw new Error(`it was not refused: ${String(error)}`)
}

/** A closed log of some actors, some of whose records take pages of their own. */
async function makeLog(dir: string): Promise<string> {
  const place = new LmdbFixture(dir)
  const store = await place.open()
  for (const i of span(1, 30)) await mustAppend(store, actorOf(`a${i % 5}`), deposits(i))
  const data = 'x'.repeat(20_000)
  await mustAppend(store, account, [{ type: 'big', data }])
  await store.close()
  return join(dir, 'test.lmdb')
}

const damages: [string, (path: string, size: number) => Promise<unknown>][] = [
  ['emptied', path => truncate(path, 0)],
  ['cut within the first page', path => truncate(path, 100)],
  ['cut after the first page', path => truncate(path, 4096)],
  ['cut after the meta pages', path => truncate(path, 8192)],
  ['cut in the middle', (path, size) => truncate(path, size >> 1)],
  ['cut to a third of a page', (path, size) => truncate(path, (size >> 1) + 1300)],
  ['overwritten with zeros', (path, size) => writeFile(path, Buffer.alloc(size))],
  [
    'overwritten with zeros at its beginning',
    path => overwrite(path, 0, Buffer.alloc(8192)),
  ],
  [
    'overwritten with zeros after its beginning',
    (path, size) => overwrite(path, 8192, Buffer.alloc(size - 8192)),
  ],
]

async function overwrite(path: string, at: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(bytes, 0, bytes.length, at)
  await file.close()
}

for (const [what, damage] of damages)
  for (const where of ['in its place', 'copied alone'])
    await t.test(`a file ${what}, ${where}, is refused`, async t => {
      const whole = await makeLog(t.testdir({ copy: {} }))
      const path =
        where === 'in its place' ? whole : join(dirname(whole), 'copy', 'test.lmdb')
      if (path !== whole) await copyFile(whole, path)
      await damage(path, (await stat(path)).size)
      const before = await readFile(path)
      for (const _attempt of [1, 2]) {
        const error = await refusal(new LmdbFixture(dirname(path)).open())
        t.equal(error.code, 'damaged-file', error.message)
        t.ok(error.message.includes(path), 'the path is named')
        t.match(error.message, /backup/, 'the remedy is named')
      }
      t.ok(before.equals(await readFile(path)), 'nothing was written to it')
    })

await t.test(
  'a file that is gone is refused, until its state is removed too',
  async t => {
    const path = await makeLog(t.testdir())
    await rm(path)
    const error = await refusal(new LmdbFixture(dirname(path)).open())
    t.equal(error.code, 'damaged-file', error.message)
    t.match(error.message, /test\.state/)
    await rm(join(dirname(path), 'test.state'), { recursive: true })
    const store = await new LmdbFixture(dirname(path)).open()
    t.equal(await store.lastPosition(), 0)
    await store.close()
  },
)

await t.test(
  'a record with one wrong byte is named by its position, and concerns its actor alone',
  async t => {
    const path = await makeLog(t.testdir())
    const bytes = await readFile(path)
    const place = new LmdbFixture(dirname(path))
    // Somewhere in the large record, which is the last of its actor and in pages of its own.
    await overwrite(path, bytes.indexOf('x'.repeat(9_000)) + 5_000, Buffer.from('y'))
    const store = await place.open()
    const records = await collect(store.commits(account))
    t.equal(records.length, 1)
    const [damaged] = records
    t.ok(damaged?.kind === 'malformed' && damaged.position === 31)
    t.ok(damaged?.kind === 'malformed' && /checksum/.test(damaged.reason))
    t.strictSame(damaged?.kind === 'malformed' && damaged.versions, { first: 1, last: 1 })
    t.equal((await store.head(account)).last?.kind, 'malformed')
    for (const i of span(0, 4)) {
      const events = await collect(store.read(actorOf(`a${i}`)))
      t.ok(events.length === 6 && events.every(({ kind }) => kind === 'event'))
    }
    await store.close()
  },
)

await t.test(
  'a file that a process has open is not judged, and a copy of its directory is',
  async t => {
    const dir = t.testdir({ data: {}, copy: {} })
    const path = await makeLog(join(dir, 'data'))
    const environment = await acquireEnvironment(join(dir, 'data'), 'test')
    const copy = join(dir, 'copy', 'all')
    await mkdir(copy)
    await cp(join(dir, 'data'), copy, { recursive: true })
    await truncate(join(copy, 'test.lmdb'), 3 * 4096)
    t.equal((await refusal(new LmdbFixture(copy).open())).code, 'damaged-file')
    await releaseEnvironment(environment)
    const report = await checkFile(path, 'test')
    t.match(report, { records: 31, damaged: [] })
  },
)

await t.test('files are for their user alone, whatever the umask', async t => {
  const dir = join(t.testdir(), 'data')
  const before = process.umask(0)
  t.teardown(() => process.umask(before))
  const path = await makeLog(dir)
  const modeOf = async (file: string) => ((await stat(file)).mode & 0o777).toString(8)
  t.equal(await modeOf(dir), '700')
  for (const file of [path, `${path}-lock`]) t.equal(await modeOf(file), '600', file)
  t.equal(await modeOf(join(dir, 'test.state')), '700')
  t.equal(await modeOf(join(dir, 'test.state', 'closed.json')), '600')
  await chmod(path, 0o666)
  await (await new LmdbFixture(dir).open()).close()
  t.equal(await modeOf(path), '600', 'the rights of others were taken from it')
  await chmod(dir, 0o777)
  const error = await refusal(new LmdbFixture(dir).open())
  t.equal(error.code, 'foreign-directory', error.message)
  t.match(error.message, /chmod o-w/)
})

await t.test(
  'bytes flipped anywhere never end the process, nor change a balance',
  async t => {
    const program = fileURLToPath(new URL('lmdb-flips.mjs', import.meta.url))
    const seed = process.env['SEED'] ?? String(Date.now() % 100_000)
    const copies = process.env['FLIPS'] ?? '30'
    const [command, args] = bare(process.execPath, program, t.testdir(), copies, seed)
    const run = await promisify(execFile)(command, args, { maxBuffer: 2 ** 26 })
    const report = JSON.parse(run.stdout) as Record<string, unknown>
    t.equal(report['copies'], Number(copies))
    t.strictSame(report['wrong'], [], `SEED=${seed}: ${run.stdout}`)
  },
)
