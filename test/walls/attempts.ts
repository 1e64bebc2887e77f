// Every way across that is known, tried by tenant-a on tenant-b.
//
// An attempt goes through if its `run` resolves with evidence: what tenant-a has got of tenant-b. Otherwise it goes
// through if anything of tenant-b has changed afterwards.

import { encode } from '../../src/codec/msgpack.js'
import {
  documentsBucketOf,
  inboxPrefixOf,
  logStream,
  logSubject,
  nodeSubjects,
  queueStream,
  readModelsBucketOf,
} from '../../src/nats/subjects.js'
import {
  type Attacker,
  other,
  own,
  secret,
  type AttackerRole,
  type World,
} from './world.js'

export interface Attempt {
  readonly name: string
  /** Default: node. */
  readonly as?: AttackerRole
  run(by: Attacker, world: World): Promise<string | undefined | void>
}

const log = logStream(other)
const ownTopics = queueStream(own, 'topic')
const alice = logSubject(other, { type: 'account', id: 'alice' }, 16)
const notice = alice.replace('.log.', '.stored.')
const peers = nodeSubjects(other)
const documents = documentsBucketOf(other)
const inbox = inboxPrefixOf(other)
const spyInbox = `${inboxPrefixOf(own)}.spy`
const spyStream = readModelsBucketOf(own).stream

const json = (value: object) => JSON.stringify(value)
const card = encode({
  kind: 'here',
  member: {
    id: 'evil',
    types: ['account'],
    weight: 1,
    version: '0.1.0',
    incarnation: 1,
    metadata: {},
  },
})
const deposit = encode({
  request: {
    kind: 'ask',
    actor: { type: 'account', id: 'alice' },
    command: 'deposit',
    data: { amount: 1 },
    commandId: 'forged',
  },
  timeout: 5_000,
})

/** What an answer of JetStream's API tells about tenant-b. */
async function api(
  by: Attacker,
  call: string,
  body: string | object = '',
): Promise<string | undefined> {
  const text = typeof body === 'string' ? body : json(body)
  const answer = (await by.request(`$JS.API.${call}`, text))?.string()
  if (answer === undefined || /^\{"type":"[^"]*","error"/.test(answer)) return undefined
  // A call about its own account may be answered; it must not tell of the other.
  return call.includes(other) || answer.includes(other) || tells(answer)
    ? answer
    : undefined
}

const base64 = (text: string) => {
  const encoded = Buffer.from(text).toString('base64')
  return encoded.slice(4, -4)
}

/** Whether bytes or base64 of them have the secret; base64 depends on what stands before it. */
function tells(text: string): boolean {
  return [secret, `x${secret}`, `xx${secret}`].some(
    (one, i) => (i === 0 && text.includes(one)) || text.includes(base64(one)),
  )
}

async function directGet(
  by: Attacker,
  call: string,
  body = '',
): Promise<string | undefined> {
  const answer = await by.request(`$JS.API.DIRECT.GET.${call}`, body)
  return answer === undefined ? undefined : answer.string()
}

/** Publishes with an acknowledgement as the only sign. */
const publishing = (
  name: string,
  subject: string,
  body: string | Uint8Array = secret,
): Attempt => ({
  name,
  run: async by => (await by.request(subject, body))?.string(),
})

const calling = (
  name: string,
  call: string,
  body: object | string = '',
  as: AttackerRole = 'node',
): Attempt => ({
  name,
  as,
  run: (by: Attacker) => api(by, call, body),
})

/** Listens while tenant-b works. */
const listening = (name: string, subject: string, queue?: string): Attempt => ({
  name: `listen ${name}`,
  async run(by, world) {
    const heard = await by.listen(subject, () => world.work(), queue)
    return heard.find(
      ({ subject, data }) =>
        subject.includes(other) || tells(Buffer.from(data).toString()),
    )?.subject
  },
})

/** Has the server deliver an answer with contents of its choice to a subject that it may not publish to. */
const forging = (what: string, subject: string, body: string | Uint8Array): Attempt => ({
  name: `forge by a direct get: ${what}`,
  async run(by) {
    const ack = await by.request(`cairn.${own}.topic.forged`, body)
    const { seq } = ack!.json<{ seq: number }>()
    await by.publish(`$JS.API.DIRECT.GET.${ownTopics}`, json({ seq }), subject)
    await afterwards(by)
  },
})

/** What the server does with an answer, it has done when it answers to the next ones. */
async function afterwards(by: Attacker): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await by.request(
      `$JS.API.DIRECT.GET.${ownTopics}`,
      json({ last_by_subj: `cairn.${own}.topic.forged` }),
    )
    await new Promise(resolve => setTimeout(resolve, 15))
  }
}

/** Resolves with evidence if the stream has copied anything. */
async function copied(by: Attacker, stream: string): Promise<string | undefined> {
  for (let i = 0; i < 15; i++) {
    const info = await by.request(`$JS.API.STREAM.INFO.${stream}`)
    const { state } = info?.json<{ state?: { messages: number } }>() ?? {}
    if (state !== undefined && state.messages > 0) return `${state.messages} messages`
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return undefined
}

/** Makes one of its own streams anew, as a copy of the other's log. */
const copying = (name: string, origin: object): Attempt => ({
  name,
  as: 'operator',
  async run(by) {
    await by.request(`$JS.API.STREAM.DELETE.${spyStream}`)
    await by.request(
      `$JS.API.STREAM.CREATE.${spyStream}`,
      json({ name: spyStream, storage: 'file', ...origin }),
    )
    return copied(by, spyStream)
  },
})

const consumer = (deliver_subject?: string) => ({
  stream_name: log,
  config: {
    name: 'spy',
    ack_policy: 'none',
    deliver_policy: 'all',
    ...(deliver_subject && { deliver_subject }),
  },
})

const update = json({
  name: log,
  subjects: [`cairn.${other}.log.>`],
  max_msgs: 1,
  discard: 'old',
  storage: 'file',
})

export const attempts: readonly Attempt[] = [
  // Reading.
  calling("read a commit from the log's leader", `STREAM.MSG.GET.${log}`, { seq: 1 }),
  {
    name: 'read a commit by direct get',
    run: by => directGet(by, log, json({ seq: 1 })),
  },
  { name: 'read an actor by direct get', run: by => directGet(by, `${log}.${alice}`) },
  {
    name: 'read a document',
    run: by => directGet(by, documents.stream, json({ seq: 1 })),
  },
  calling('read the settings of the log', `STREAM.INFO.${log}`),
  calling('create a consumer on the log', `CONSUMER.CREATE.${log}.spy`, consumer()),
  calling(
    'create a consumer on the log that delivers to itself',
    `CONSUMER.CREATE.${log}.spy`,
    consumer(spyInbox),
  ),
  calling(
    'name the other stream in a request for its own',
    `CONSUMER.CREATE.${logStream(own)}.spy`,
    consumer(),
  ),
  copying('copy the log by a mirror', { mirror: { name: log } }),
  copying('copy the log by a source', { sources: [{ name: log }] }),
  copying('copy the log by a mirror of another account', {
    mirror: { name: log, external: { api: '$JS.API', deliver: '' } },
  }),
  // Writing.
  publishing('append a commit', alice),
  publishing('store a durable command', `cairn.${other}.inbox.3.account.alice`),
  publishing('publish on a topic', `cairn.${other}.topic.news`),
  publishing('store a dead letter', `cairn.${other}.dead.x`),
  publishing('set a timer', `cairn.${other}.timer.3.account.alice.x`),
  publishing('change a document', `${documents.prefix}.note`),
  publishing('change a read model', `${readModelsBucketOf(other).prefix}.x.1.place`),
  calling('remove a commit', `STREAM.MSG.DELETE.${log}`, { seq: 1 }),
  calling('purge the log', `STREAM.PURGE.${log}`),
  calling('change the log', `STREAM.UPDATE.${log}`, update),
  calling('delete the log', `STREAM.DELETE.${log}`),
  calling('delete the log, as an operator', `STREAM.DELETE.${log}`, '', 'operator'),
  calling(
    'purge the inbox, as an operator',
    `STREAM.PURGE.${queueStream(other, 'inbox')}`,
    '',
    'operator',
  ),
  {
    name: 'republish its own messages as notices of the other, as an operator',
    as: 'operator',
    async run(by) {
      await by.request(`$JS.API.STREAM.DELETE.${spyStream}`)
      await by.request(
        `$JS.API.STREAM.CREATE.${spyStream}`,
        json({
          name: spyStream,
          subjects: ['$KV.' + spyStream.slice(3) + '.>'],
          republish: {
            src: `$KV.${spyStream.slice(3)}.>`,
            dest: `cairn.${other}.stored.>`,
          },
        }),
      )
      await by.request(`$KV.${spyStream.slice(3)}.3.account.alice`, secret)
      await afterwards(by)
    },
  },
  // Nodes.
  publishing('ask an actor', peers.ask('account'), deposit),
  publishing('ask a node', peers.node('victim'), deposit),
  publishing('ask for the list of nodes', peers.who),
  {
    name: 'join as a node that does not exist',
    run: by => by.publish(peers.members, card),
  },
  { name: 'announce a commit that does not exist', run: by => by.publish(notice, '') },
  // Listening.
  listening('to everything', '>'),
  listening('to the namespace', `cairn.${other}.>`),
  listening('to the notices of all namespaces', 'cairn.*.stored.>'),
  listening('to the reply inbox', `${inbox}.>`),
  listening('to requests of JetStream', '$JS.API.>'),
  listening('to advisories of JetStream', '$JS.EVENT.>'),
  listening('to documents', `${documents.prefix}.>`),
  listening('to the system account', '$SYS.>'),
  listening('to requests, in the place of its nodes', peers.ask('account'), 'nodes'),
  // Lists.
  calling('list the names of streams', 'STREAM.NAMES'),
  calling('list the streams', 'STREAM.LIST'),
  calling('list the names of streams, as an operator', 'STREAM.NAMES', '', 'operator'),
  calling('list the consumers', `CONSUMER.NAMES.${log}`),
  // The server.
  {
    name: 'ask the server about its connections',
    async run(by) {
      const answer = (await by.request('$SYS.REQ.SERVER.PING.CONNZ', '{}'))?.string()
      return answer?.includes(other) ? answer : undefined
    },
  },
  publishing('ask the server about the account', `$SYS.REQ.ACCOUNT.${other}.CONNZ`),
  calling('purge the account', `ACCOUNT.PURGE.${other}`),
  // Forged replies: the server does not check them against permissions.
  {
    name: 'forge by an acknowledgement: purge the log',
    async run(by) {
      for (let i = 0; i < 4; i++)
        await by.publish(`cairn.${own}.topic.forged`, 'x', `$JS.API.STREAM.PURGE.${log}`)
      await afterwards(by)
    },
  },
  {
    name: 'forge by an acknowledgement: a record in the inbox',
    async run(by) {
      await by.publish(
        `cairn.${own}.topic.forged`,
        'x',
        `cairn.${other}.inbox.3.account.alice`,
      )
      await afterwards(by)
    },
  },
  {
    name: 'forge by a consumer: a commit',
    async run(by) {
      const stream = logStream(own)
      await by.request(`cairn.${own}.log.0.note.forged`, secret)
      const config = {
        name: 'own',
        ack_policy: 'none',
        mem_storage: true,
        deliver_policy: 'last',
      }
      await by.request(
        `$JS.API.CONSUMER.CREATE.${stream}.own`,
        json({ stream_name: stream, config }),
      )
      await by.publish(
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.own`,
        json({ batch: 1, no_wait: true }),
        alice,
      )
      await afterwards(by)
    },
  },
  forging('a commit', alice, secret),
  forging('a notice', notice, ''),
  forging('a heartbeat of a node', peers.members, card),
  forging('a command to a node', peers.node('victim'), deposit),
  forging('a document', `${documents.prefix}.note`, secret),
  forging('a timer', `cairn.${other}.timer.3.account.alice.x`, secret),
  forging(
    'the removal of a commit',
    `$JS.API.STREAM.MSG.DELETE.${log}`,
    json({ seq: 1 }),
  ),
  forging('a purge of the log', `$JS.API.STREAM.PURGE.${log}`, '{}'),
  forging('a change of the log', `$JS.API.STREAM.UPDATE.${log}`, update),
  forging('the deletion of the log', `$JS.API.STREAM.DELETE.${log}`, ''),
  {
    name: 'forge by a direct get: a consumer that delivers the log to itself',
    async run(by, world) {
      const heard = await by.listen(spyInbox, () =>
        forging('', `$JS.API.CONSUMER.CREATE.${log}.spy`, json(consumer(spyInbox))).run(
          by,
          world,
        ),
      )
      return heard.some(({ data }) => tells(Buffer.from(data).toString()))
        ? 'the log'
        : undefined
    },
  },
  {
    name: 'forge by a direct get: a mirror of the log',
    async run(by, world) {
      // In the place of a stream of its own, which it may read.
      const mirror = json({ name: spyStream, mirror: { name: log }, storage: 'file' })
      await forging('', `$JS.API.STREAM.DELETE.${spyStream}`, '').run(by, world)
      await forging('', `$JS.API.STREAM.CREATE.${spyStream}`, mirror).run(by, world)
      return copied(by, spyStream)
    },
  },
]
