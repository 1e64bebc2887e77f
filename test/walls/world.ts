// Two namespaces on a real server: tenant-a, who attacks, and tenant-b, who has a node and a secret.

import { connect, type Msg, type NatsConnection } from 'nats'

import type { OpenNamespace } from '../../src/backend/backend.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { defineConsumer } from '../../src/delivery/consumer/define-consumer.js'
import { defineTopic } from '../../src/model/topic.js'
import type { Role } from '../../src/nats/permissions.js'
import { sideStreams } from '../../src/nats/side-streams.js'
import { documentsBucketOf, logStream } from '../../src/nats/subjects.js'
import { account } from '../../src/program/demo/account.js'
import type { Node } from '../../src/runtime/node.js'
import { startNode } from '../../src/runtime/start-node.js'
import { aclConfig, loginOf } from '../support/acl.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

export const own = 'tenant-a'
export const other = 'tenant-b'
export const secret = 'secret-of-tenant-b'

/**
 * How the server separates them: not at all; by the permissions of one account; by an account each; by an account each,
 * where the attacker has a user without permissions, so that the account alone is the wall.
 */
export type Form = 'open' | 'one account' | 'accounts' | 'accounts, all permissions'

export const forms: readonly Form[] = [
  'open',
  'one account',
  'accounts',
  'accounts, all permissions',
]

export type AttackerRole = Exclude<Role, 'reader'>

export interface World extends AsyncDisposable {
  readonly form: Form
  readonly node: Node
  /** A connection of tenant-a. */
  attacker(role: AttackerRole): Promise<Attacker>
  /** What tenant-b has, as its operator sees it: nothing in it changes by itself. */
  fingerprint(): Promise<string>
  /** Whether a fingerprint shows that nothing is lost, so that the next attempt can follow. */
  isIntact(fingerprint: string): boolean
  /** Work of tenant-b of every kind: commands, commits, documents, requests between nodes, consumers. */
  work(): Promise<void>
  /** Makes both namespaces anew. */
  reset(): Promise<void>
}

const free = { user: `${own}.free`, password: 'free' }

/** Adds the attacker's user without permissions. */
function withFreeUser(config: string): string {
  const { user, password } = free
  return config.replace(
    'users: [',
    `users: [\n{ user: "${user}", password: ${password} }`,
  )
}

function configOf(form: Form): string | undefined {
  switch (form) {
    case 'open':
      return undefined
    case 'one account':
      return aclConfig([own, other])
    default: {
      const config = aclConfig([own, other], { accounts: true, quota: { bytes: '1GB' } })
      return form === 'accounts' ? config : withFreeUser(config)
    }
  }
}

const streamsOf = (namespace: string) => [
  logStream(namespace),
  ...sideStreams(namespace, 1).map(({ wanted }) => wanted.name),
]

export async function openWorld(form: Form): Promise<World> {
  const config = configOf(form)
  const server = await startNats(config === undefined ? {} : { config })
  const isOpen = form === 'open'
  const loginAs = (namespace: string, role: Role) => {
    if (isOpen) return {}
    if (form === 'accounts, all permissions' && namespace === own) return free
    return loginOf(namespace, role)
  }
  const storeOf = (namespace: string, role: Role) =>
    jetstream({ servers: server.url, ...loginAs(namespace, role) })
  const connectAs = async (namespace: string, role: Role) => {
    const { user, password: pass } = loginAs(namespace, role) as Partial<typeof free>
    return connect({
      servers: server.url,
      inboxPrefix: `_INBOX_${namespace}`,
      ...(user !== undefined && { user, pass }),
    })
  }
  const attackers = new Map<AttackerRole, Attacker>()
  const operators = {
    [own]: await connectAs(own, 'operator'),
    [other]: await connectAs(other, 'operator'),
  }
  let node: Node | undefined
  /** Another process of tenant-b, which asks its node. */
  let peer: OpenNamespace | undefined
  let consumers = 0

  /** A forged node may be given up again before anybody looks at the members. */
  let joins = 0
  const countJoins = (about: unknown) => {
    const { joined = [] } = about as { joined?: readonly string[] }
    joins += joined.length
  }

  const populate = async () => {
    for (const namespace of [own, other]) {
      const open = await storeOf(namespace, 'operator').open({
        namespace,
        nodeId: 'operator',
      })
      const actor = { type: 'note', id: 'n' }
      const data = namespace === other ? secret : 'nothing'
      await open.store.append(actor, [{ type: 'noted', data }])
      await open.documents.put(['note'], Buffer.from(data), 0)
      await open.close()
    }
    node = await startNode({
      namespace: other,
      id: 'victim',
      store: storeOf(other, 'node'),
      actors: [account],
      create: false,
      log: { debug() {}, info: countJoins, warn() {}, error() {} },
    })
    await node.spawn(account, 'alice').ask('deposit', { amount: 1 })
    peer = await storeOf(other, 'node').open({
      namespace: other,
      nodeId: 'peer',
      create: false,
    })
  }
  const api = async (namespace: typeof own | typeof other, call: string, body = '') =>
    (
      await operators[namespace].request(`$JS.API.${call}`, body, { timeout: 10_000 })
    ).string()

  const note = () => {
    const { stream, prefix } = documentsBucketOf(other)
    return api(
      other,
      `STREAM.MSG.GET.${stream}`,
      JSON.stringify({ last_by_subj: `${prefix}.note` }),
    )
  }

  const read = async () => {
    const infos = await Promise.all(
      streamsOf(other).map(async stream => {
        const info = JSON.parse(await api(other, `STREAM.INFO.${stream}`)) as StreamAnswer
        const { config: settings, state } = info
        // Nodes store where the courier stands, some time after a commit.
        if (stream === documentsBucketOf(other).stream)
          return { settings, note: await note() }
        const { messages, first_seq, last_seq, consumer_count } = state ?? {}
        return { settings, messages, first_seq, last_seq, consumer_count }
      }),
    )
    const members = node!.members().map(({ id }) => id)

    return JSON.stringify({ infos, members, joins, notices: node!.stats().notices })
  }
  const stop = async () => {
    await peer?.close()
    await node?.close({ timeout: 100 }).catch(() => {})
  }
  await populate()
  return {
    form,
    get node() {
      return node!
    },
    async attacker(role) {
      const known = attackers.get(role)
      if (known !== undefined) return known
      const made = new Attacker(await connectAs(own, role))
      attackers.set(role, made)
      return made
    },
    async fingerprint() {
      // The courier writes a checkpoint some time after a commit.
      let last = await read()
      return until(async () => {
        const now = await read()
        const isSame = now === last
        last = now
        return isSame && now
      })
    },
    isIntact(fingerprint) {
      const { infos, members } = JSON.parse(fingerprint) as Fingerprint
      const [{ messages, last_seq, settings }] = infos
      const isWhole = messages === last_seq && settings?.max_msgs === -1
      const isQuiet = infos.every(one => one.settings && !one.consumer_count)
      return isWhole && isQuiet && members.join() === 'victim'
    },
    async work() {
      await node!.spawn(account, 'alice').ask('deposit', { amount: 1 })
      await node!.store.append({ type: 'note', id: 'n' }, [
        { type: 'noted', data: secret },
      ])
      const consumer = defineConsumer({
        name: `c${++consumers}`,
        on: defineTopic('news'),
      })
      await node!.consumer(consumer).consume({ maxWait: 0 })
      const actor = { type: 'account', id: 'alice' }
      // Somebody may answer in the place of the node, or not at all.
      const request = () =>
        peer!.transport.request({ kind: 'state', actor }, { timeout: 200 })
      await Promise.allSettled(Array.from({ length: 8 }, request))
      const stream = logStream(other)
      const config = { name: 'own', ack_policy: 'none', mem_storage: true }
      await api(
        other,
        `CONSUMER.CREATE.${stream}.own`,
        JSON.stringify({ stream_name: stream, config }),
      )
      await api(other, `CONSUMER.DELETE.${stream}.own`)
    },
    async reset() {
      await stop()
      for (const namespace of [own, other] as const)
        for (const stream of streamsOf(namespace))
          await api(namespace, `STREAM.DELETE.${stream}`).catch(() => {})
      await populate()
    },
    async [Symbol.asyncDispose]() {
      await stop()
      for (const { nc } of attackers.values()) await nc.close()
      for (const nc of Object.values(operators)) await nc.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

interface Fingerprint {
  readonly infos: readonly [StreamPrint, ...StreamPrint[]]
  readonly members: readonly string[]
}

interface StreamPrint {
  readonly settings?: { readonly max_msgs?: number }
  readonly messages?: number
  readonly last_seq?: number
  readonly consumer_count?: number
}

interface StreamAnswer {
  readonly config?: object
  readonly state?: Record<string, number>
}

/** Milliseconds for an answer that the server does not refuse to give. */
const answerWithin = 250

/** A connection that tries what it is told to try. */
export class Attacker {
  readonly nc: NatsConnection
  readonly #refused = new Set<string>()
  #count = 0

  constructor(nc: NatsConnection) {
    this.nc = nc
    void this.#follow()
  }

  async #follow(): Promise<void> {
    for await (const { permissionContext } of this.nc.status())
      if (permissionContext !== undefined) this.#refused.add(permissionContext.subject)
  }

  /** Publishes, and resolves once the server has taken it. */
  async publish(
    subject: string,
    body: string | Uint8Array,
    reply?: string,
  ): Promise<void> {
    this.nc.publish(subject, body, reply === undefined ? {} : { reply })
    await this.nc.flush()
  }

  /** Resolves with the answer, and with `undefined` if it is refused or there is none. */
  async request(
    subject: string,
    body: string | Uint8Array = '',
  ): Promise<Msg | undefined> {
    const inbox = `_INBOX_${own}.asked${++this.#count}`
    this.#refused.delete(subject)
    let answer: Msg | undefined
    const subscription = this.nc.subscribe(inbox, {
      callback: (_, message) => (answer = message),
      max: 1,
    })
    await this.publish(subject, body, inbox)
    const deadline = Date.now() + answerWithin
    while (answer === undefined && !this.#refused.has(subject) && Date.now() < deadline)
      await new Promise(resolve => setTimeout(resolve, 5))
    subscription.unsubscribe()
    return answer === undefined || answer.headers?.code ? undefined : answer
  }

  /** Listens while `activity` runs; resolves with what arrived. */
  async listen(
    subject: string,
    activity: () => Promise<unknown>,
    queue?: string,
  ): Promise<readonly Msg[]> {
    const heard: Msg[] = []
    const subscription = this.nc.subscribe(subject, {
      ...(queue !== undefined && { queue }),
      callback: (error, message) => {
        if (error === null) heard.push(message)
      },
    })
    await this.nc.flush()
    await activity()
    await this.nc.flush()
    subscription.unsubscribe()
    return heard
  }
}
