// What the users of a namespace may publish and subscribe to, by role: derived from the declared streams and from the
// subject grammar, so that a new stream or subject cannot be forgotten.
//
// PERMISSIONS-1. A role is allowed what its programs use, and nothing is denied: what is not listed is refused.
// PERMISSIONS-2. No list has a subject of another namespace, and none but the operator's lets its user make, change or
//     delete a stream.

import { declareLog } from './log-stream.js'
import { type SideStream, sideStreams } from './side-streams.js'
import { inboxPrefixOf, noNamespace, nodeSubjects, queueSubjects } from './subjects.js'

/**
 * `node`: everything that a node does in a namespace that exists. `operator`: that, and to create, repair, back up and
 * remove it. `reader`: to read all of it, and to change nothing.
 */
export type Role = 'node' | 'operator' | 'reader'

export const roles: readonly Role[] = ['node', 'operator', 'reader']

/** Subjects with the reason for them. */
export interface Grant {
  readonly why: string
  readonly subjects: readonly string[]
}

export interface Permissions {
  readonly publish: readonly Grant[]
  readonly subscribe: readonly Grant[]
}

/** What a role may do to one stream. */
interface StreamRights extends Pick<SideStream, 'removal'> {
  readonly name: string
  readonly isLog: boolean
  /** What its writers publish to. */
  readonly subjects: readonly string[]
  /** Where the server announces what it stores. */
  readonly announcements: readonly string[]
}

/** Every stream of a namespace, the log first. */
function streamsOf(namespace: string): readonly StreamRights[] {
  const log = { wanted: declareLog(namespace, {}), removal: undefined }
  // Due timers are published by the server alone.
  const due = queueSubjects(namespace, 'due')
  return [log, ...sideStreams(namespace, 1)].map(({ wanted, removal }, i) => {
    const { name, subjects = [], republish } = wanted
    return {
      name,
      isLog: i === 0,
      subjects: subjects.filter(subject => subject !== due),
      announcements: republish?.dest === undefined ? [] : [republish.dest],
      ...(removal !== undefined && { removal }),
    }
  })
}

/** Number of streams that a namespace has. */
export function streamCount(): number {
  return streamsOf('any').length
}

/** @param hasAccount whether the namespace has an account of its own, in which a user may list what is there */
export function permissionsOf(
  namespace: string,
  role: Role,
  hasAccount: boolean,
): Permissions {
  const streams = streamsOf(namespace)
  const peers = nodeSubjects(namespace)
  const inbox = `${inboxPrefixOf(namespace)}.>`
  const announced = streams.flatMap(({ announcements }) => announcements)
  const each = (why: string, apisOf: (stream: StreamRights) => readonly string[]) => ({
    why,
    subjects: streams.flatMap(stream => apisOf(stream).map(api => `$JS.API.${api}`)),
  })
  const reading = each('Reading what it holds.', ({ name }) => [
    `STREAM.INFO.${name}`,
    `STREAM.MSG.GET.${name}`,
    `DIRECT.GET.${name}`,
    `DIRECT.GET.${name}.>`,
  ])
  const lookingForNodes = {
    why: 'Asking for the list of its nodes.',
    subjects: [peers.who, peers.whoServes('*')],
  }
  const listening = {
    why: 'Notices, the heartbeats of its nodes, and replies.',
    subjects: [inbox, ...announced, peers.members],
  }
  const why = 'The list of namespaces, which is that of the account.'
  const listing = (subject: string) => (hasAccount ? [{ why, subjects: [subject] }] : [])
  const askingForList = listing('$JS.API.STREAM.NAMES')
  const receivingList = listing(`${inboxPrefixOf(noNamespace)}.>`)
  if (role === 'reader')
    return {
      publish: [reading, lookingForNodes, ...askingForList],
      subscribe: [listening, ...receivingList],
    }

  const working: Grant[] = [
    {
      why: 'Its log, queues, timers and documents.',
      subjects: streams.flatMap(({ subjects }) => subjects),
    },
    {
      why: 'The other nodes, and replies to them.',
      subjects: [
        peers.ask('*'),
        peers.node('*'),
        peers.alive('*'),
        peers.members,
        ...lookingForNodes.subjects,
        inbox,
      ],
    },
    reading,
    each(
      'Readings of thousands of commits take a third of the time this way.',
      ({ name, isLog }) =>
        isLog
          ? ['CREATE', 'MSG.NEXT', 'DELETE'].map(verb => `CONSUMER.${verb}.${name}.*`)
          : [],
    ),
  ]
  const removing = each('Removing what is handled.', ({ name, removal }) =>
    removal === undefined
      ? []
      : [removal === 'purge' ? `STREAM.PURGE.${name}` : `STREAM.MSG.DELETE.${name}`],
  )
  const serving = {
    why: 'Requests of other nodes.',
    subjects: [
      peers.ask('*'),
      peers.node('*'),
      peers.alive('*'),
      peers.who,
      peers.whoServes('*'),
    ],
  }
  const subscribe = [listening, serving]
  if (role === 'node') return { publish: [...working, removing], subscribe }

  const administering = each('Creating, repairing and removing it.', ({ name }) =>
    ['CREATE', 'UPDATE', 'DELETE', 'PURGE', 'MSG.DELETE'].map(
      verb => `STREAM.${verb}.${name}`,
    ),
  )
  const backups: Grant = {
    why: 'Backups, as "nats stream backup" and "restore" make them.',
    subjects: streams.flatMap(({ name }) => [
      `$JS.API.STREAM.SNAPSHOT.${name}`,
      `$JS.API.STREAM.RESTORE.${name}`,
      `$JS.SNAPSHOT.ACK.${name}.>`,
      `$JS.SNAPSHOT.RESTORE.${name}.>`,
    ]),
  }
  return {
    publish: [...working, administering, backups, ...askingForList],
    subscribe: [...subscribe, ...receivingList],
  }
}
