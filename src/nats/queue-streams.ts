// The streams of a namespace's queues: inbox, topics, dead letters, and timers with the due ones.

import {
  type DeclaredStream,
  differenceIn,
  differencesOf,
  namespaceMetadata,
  namespaceStreamConfig,
} from './stream.js'
import {
  queuedSubjects,
  type QueueFamily,
  queueStream,
  queueSubjects,
  timerSubjects,
} from './subjects.js'
import { markedMetadata } from './timers-marker.js'

/** Nanoseconds for which the server remembers a record's id. */
const duplicateWindow = 120_000_000_000

export function declareQueue(
  namespace: string,
  family: QueueFamily,
  replicas: number,
): DeclaredStream {
  const wanted = namespaceStreamConfig(namespace, {
    name: queueStream(namespace, family),
    description: `Cairn: ${family} of namespace ${namespace}`,
    subjects: [queueSubjects(namespace, family)],
    // Records are removed one by one once they are handled; none expires.
    num_replicas: replicas,
    duplicate_window: duplicateWindow,
    republish: republishQueued(namespace, family),
  })
  // The operator decides how long messages on topics are kept.
  const differences = (actual: typeof wanted) =>
    differencesOf(family === 'topic' ? { ...actual, max_age: 0 } : actual, wanted)
  return { what: family, wanted, differences }
}

export function declareTimers(namespace: string, replicas: number): DeclaredStream {
  const wanted = namespaceStreamConfig(namespace, {
    name: queueStream(namespace, 'due'),
    description: `Cairn: timers of namespace ${namespace}`,
    subjects: [timerSubjects(namespace), queueSubjects(namespace, 'due')],
    // The server accepts schedules only with this setting; without limits nothing is ever discarded.
    discard: 'old',
    num_replicas: replicas,
    allow_msg_schedules: true,
    republish: republishQueued(namespace, 'due'),
    metadata: { ...namespaceMetadata(namespace), ...markedMetadata },
  })
  const limits = (actual: typeof wanted) =>
    (['max_msgs', 'max_bytes', 'max_msgs_per_subject'] as const).flatMap(name =>
      differenceIn(name, actual[name] ?? -1, -1),
    )
  const differences = (actual: typeof wanted) => [
    ...differencesOf(actual, wanted),
    ...limits(actual),
    // A server that does not know schedules would ignore the setting and never fire a timer.
    ...differenceIn('allow_msg_schedules', actual['allow_msg_schedules'] ?? false, true),
  ]
  return { what: 'timers', wanted, differences }
}

function republishQueued(namespace: string, family: QueueFamily) {
  return {
    src: queueSubjects(namespace, family),
    dest: queuedSubjects(namespace, family),
    headers_only: true,
  }
}
