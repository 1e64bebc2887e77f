import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { writePrivateJson } from '../../src/local/private-json.js'
import { FileMembership } from '../../src/cluster/file-membership.js'
import { KeptAnnouncement } from '../../src/cluster/kept-announcement.js'
import type { Member, Membership } from '../../src/cluster/membership.js'
import { MemoryMembers, MemoryMembership } from '../../src/cluster/memory-membership.js'
import { NatsTransport } from '../../src/cluster/nats.js'
import { NatsMembership } from '../../src/cluster/nats-membership.js'
import { newId } from '../../src/model/id.js'
import { Connection } from '../../src/nats/connection.js'
import { testMembership } from '../contract/membership.js'
import { startNats } from '../support/nats.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'

await using server = await startNats()
const pace = { every: 50, deadAfter: 1_500 }

/** Like a node, a member serves before it joins. */
async function joinNats(namespace: string, self?: Member, url = server.url) {
  const connection = await Connection.open({ servers: url }, namespace, 'test')
  if (self !== undefined)
    await new NatsTransport(connection, namespace).serve(
      self.id,
      self.types,
      async () => {},
    )
  const membership = await NatsMembership.join(connection, namespace, self, pace)
  return { connection, membership }
}

const member = (id: string, incarnation = Date.now()): Member => ({
  id,
  types: ['account'],
  weight: 1,
  version: '0.0.0',
  incarnation,
  metadata: {},
})

/** Blocks this thread, as a stopped process is blocked. */
const block = (ms: number) =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

const has = (membership: Membership, id: string) =>
  membership.members().some(other => other.id === id)

await testMembership(t, 'memory', async () => {
  const shared = new MemoryMembers()
  return {
    join: async self => new MemoryMembership(shared, self),
    async [Symbol.asyncDispose]() {},
  }
})

await testMembership(t, 'NATS', async () => {
  const namespace = `m-${newId()}`
  const open: Awaited<ReturnType<typeof joinNats>>[] = []
  return {
    async join(self) {
      const joined = await joinNats(namespace, self)
      open.push(joined)
      return joined.membership
    },
    async [Symbol.asyncDispose]() {
      for (const { membership, connection } of open) {
        await membership.close()
        await connection.close()
      }
    },
  }
})

await testMembership(t, 'files in a directory', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-members-'))
  const open: Membership[] = []
  return {
    async join(self) {
      const membership = await FileMembership.join(dir, 'ns', self)
      open.push(membership)
      return membership
    },
    async [Symbol.asyncDispose]() {
      for (const membership of open) await membership.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
})

await t.test(
  'on NATS, a process that dies without leaving is detected by a probe',
  async t => {
    const namespace = `m-${newId()}`
    const a = await joinNats(namespace, member('a'))
    const b = await joinNats(namespace, member('b'))
    await until(() => has(a.membership, 'b'))
    const dead: string[] = []
    a.membership.onChange(change => dead.push(...change.dead.map(({ id }) => id)))
    // The process dies: its connection ends without a bye message.
    await b.connection.nc.close()
    await until(() => !has(a.membership, 'b'), { describe: 'b is removed' })
    t.strictSame(dead, ['b'])
    await b.membership.close()
    await a.membership.close()
    await a.connection.close()
  },
)

await t.test(
  'on NATS, a connected process without heartbeats remains a member until deadAfter',
  async t => {
    const namespace = `m-${newId()}`
    const a = await joinNats(namespace, member('a'))
    await using proxy = await startProxy(server.url)
    const b = await joinNats(namespace, member('b'), proxy.url)
    await until(() => has(a.membership, 'b'))
    // Like a process with a blocked event loop: connected, and sending nothing.
    proxy.pause()
    const probed = () => a.connection.nc.stats().outMsgs
    const before = probed()
    await until(() => probed() > before + 12, { describe: 'a has probed for a while' })
    t.ok(has(a.membership, 'b'), 'still a member after many unanswered probes')
    await until(() => !has(a.membership, 'b'), { describe: 'it is removed in the end' })
    proxy.resume()
    await until(() => has(a.membership, 'b'), {
      describe: 'its next heartbeat adds it again',
    })
    for (const { membership, connection } of [a, b]) {
      await membership.close()
      await connection.close()
    }
  },
)

await t.test(
  'on NATS, isReachable finds nodes that are not known yet, and no others',
  async t => {
    const namespace = `m-${newId()}`
    const a = await joinNats(namespace, member('a'))
    const b = await joinNats(namespace, member('b'))
    t.equal(await b.membership.isReachable('a'), true, 'known or not')
    t.equal(await b.membership.isReachable('nobody'), false)
    await until(() => has(b.membership, 'a'))
    await a.membership.close()
    await until(() => !has(b.membership, 'a'))
    // Its subscription may still exist for a short time, but it has sent its bye message.
    t.equal(await b.membership.isReachable('a'), false)
    await b.membership.close()
    for (const { connection } of [a, b]) await connection.close()
  },
)

await t.test(
  'on NATS, only its own word brings a member back that was given up',
  async t => {
    const namespace = `m-${newId()}`
    const a = await joinNats(namespace, member('a'))
    await using proxy = await startProxy(server.url)
    const b = await joinNats(namespace, { ...member('b'), types: ['trip'] }, proxy.url)
    await until(() => has(a.membership, 'b'))
    const c = await joinNats(namespace)
    t.ok(has(c.membership, 'a') && has(c.membership, 'b'))
    // b is cut off, and a does not know it yet.
    proxy.pause()
    c.membership.suspect('b')
    c.membership.suspect('a')
    t.equal(await c.membership.lookFor('account'), true)
    t.ok(has(a.membership, 'b') && has(c.membership, 'a'))
    t.notOk(has(c.membership, 'b'), 'not the word of a')
    t.equal(await c.membership.lookFor('nothing'), false)
    for (const { membership, connection } of [a, b, c]) {
      await membership.close()
      await connection.close()
    }
  },
)

await t.test('on NATS, members that do not answer keep nobody from joining', async t => {
  const namespace = `m-${newId()}`
  await using proxy = await startProxy(server.url)
  const a = await joinNats(namespace, member('a'), proxy.url)
  proxy.pause()
  const b = await joinNats(namespace, { ...member('b'), types: ['trip'] })
  t.strictSame(b.membership.members().length, 1)
  t.equal(await b.membership.lookFor('account'), true, 'but they may exist')
  proxy.resume()
  await until(() => has(b.membership, 'a') && has(a.membership, 'b'))
  for (const { membership, connection } of [a, b]) {
    await membership.close()
    await connection.close()
  }
})

await t.test('on NATS, garbage on the subject is ignored', async t => {
  const namespace = `m-${newId()}`
  const a = await joinNats(namespace, member('a'))
  for (const bytes of ['', 'garbage', '\u00c1'])
    a.connection.nc.publish(`cairn.${namespace}.members`, Buffer.from(bytes))
  const b = await joinNats(namespace, member('b'))
  await until(() => has(a.membership, 'b'))
  t.equal(a.membership.members().length, 2)
  for (const { membership, connection } of [a, b]) {
    await membership.close()
    await connection.close()
  }
})

await t.test(
  'the member file of a dead process is removed, and an invalid file is ignored',
  async t => {
    const dir = await mkdtemp(join(tmpdir(), 'cairn-members-'))
    const a = await FileMembership.join(dir, 'ns', member('a'))
    const folder = join(dir, 'ns.members')
    // No system uses a process id this large.
    const dead = { pid: 2 ** 30, member: member('dead') }
    await writeFile(join(folder, 'dead.json'), JSON.stringify(dead))
    await writeFile(join(folder, 'garbage.json'), '{')
    const b = await FileMembership.join(dir, 'ns', member('b'))
    await until(() => has(a, 'b'))
    t.notOk(has(a, 'dead') || has(b, 'dead'))
    await a.close()
    await b.close()
    await rm(dir, { recursive: true, force: true })
  },
)

await t.test('on NATS, a process that stood still gives nobody up', async t => {
  const namespace = `m-${newId()}`
  const a = await joinNats(namespace, member('a'))
  const b = await joinNats(namespace, member('b'))
  await until(() => has(a.membership, 'b') && has(b.membership, 'a'))
  const left: string[] = []
  a.membership.onChange(change => left.push(...change.left.map(({ id }) => id)))
  block(pace.deadAfter + 500)
  // Both have ticked, and heard the other one.
  let heard = 0
  const watcher = await a.connection.subscribe(
    `cairn.${namespace}.members`,
    () => heard++,
  )
  await until(() => heard > 6)
  watcher.unsubscribe()
  t.strictSame(left, [])
  for (const { membership, connection } of [a, b]) {
    await membership.close()
    await connection.close()
  }
})

await t.test('FILE-1 a node whose member file is removed is a member again', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-members-'))
  const a = await FileMembership.join(dir, 'ns', member('a'))
  const b = await FileMembership.join(dir, 'ns', member('b'))
  await until(() => has(a, 'b') && has(b, 'a'))
  const leftByItself: string[] = []
  a.onChange(change => leftByItself.push(...change.left.map(({ id }) => id)))
  b.suspect('a')
  t.notOk(has(b, 'a'), 'b gives it up')
  await until(() => has(b, 'a'), { describe: 'b has it again' })
  await rm(join(dir, 'ns.members', 'a.json'), { force: true })
  await until(() => readFile(join(dir, 'ns.members', 'a.json')))
  t.ok(has(a, 'a'))
  t.strictSame(leftByItself, [], 'FILE-2 a node is a member in its own view')
  await a.close()
  await until(() => !has(b, 'a'), { describe: 'a has left' })
  t.strictSame((await readdir(join(dir, 'ns.members'))).toSorted(), ['b.json'])
  await b.close()
  await rm(dir, { recursive: true, force: true })
})

await t.test('FILE-3 a node that has left is not taken for a dead one', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-members-'))
  const a = await FileMembership.join(dir, 'ns', member('a'))
  const b = await FileMembership.join(dir, 'ns', member('b'))
  await until(() => has(a, 'b'))
  const deaths: string[] = []
  a.onChange(({ dead }) => deaths.push(...dead.map(({ id }) => id)))
  await b.leave()
  a.suspect('b') // A request did not reach it, before its file was looked for.
  t.notOk(has(a, 'b'))
  await b.close()
  // The file of a dead process is seen by all nodes.
  const c = await FileMembership.join(dir, 'ns', member('c'))
  const died: string[] = []
  c.onChange(({ dead }) => died.push(...dead.map(({ id }) => id)))
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'])
  await once(child, 'spawn')
  const path = join(dir, 'ns.members', 'd.json')
  await writePrivateJson(path, { pid: child.pid, member: member('d') })
  await until(() => has(a, 'd') && has(c, 'd'))
  child.kill('SIGKILL')
  await once(child, 'exit')
  a.suspect('d')
  await until(() => !has(c, 'd'))
  t.strictSame([deaths, died], [['d'], ['d']])
  await a.close()
  await c.close()
  await rm(dir, { recursive: true, force: true })
})

await t.test('an announcement does not replace that of another process', async t => {
  const dir = t.testdir({ taken: {}, removed: {} })
  const [taken, removed] = [join(dir, 'taken', 'n.json'), join(dir, 'removed', 'n.json')]
  const kept = await Promise.all(
    [taken, removed].map(path => KeptAnnouncement.write(path, { mine: true })),
  )
  const other = { mine: false, pid: process.ppid }
  await writePrivateJson(taken, other)
  for (const _ of [1, 2]) {
    await rm(removed)
    await until(() => readFile(removed), { describe: 'KEPT-1 it is written again' })
  }
  t.strictSame(JSON.parse(await readFile(taken, 'utf8')), other, 'KEPT-2')
  await writePrivateJson(taken, { mine: false, pid: 2 ** 30 })
  await until(
    async () => (JSON.parse(await readFile(taken, 'utf8')) as { mine: boolean }).mine,
    { describe: 'that of a dead process is replaced' },
  )
  await writePrivateJson(taken, other)
  for (const one of kept) await one.stop()
  t.strictSame(JSON.parse(await readFile(taken, 'utf8')), other, 'nor does its end')
  await t.rejects(readFile(removed), { code: 'ENOENT' }, 'KEPT-3')
})
