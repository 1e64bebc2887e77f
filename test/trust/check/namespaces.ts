// P6: nothing crosses a namespace. Ids name the namespace that they belong to.

import { type Indexed, isOwn } from './history-index.js'
import type { Violation } from './violation.js'

export function* namespaces({
  namespace,
  commits,
  history,
}: Indexed): Iterable<Violation> {
  const trace = (actor: string) =>
    `${actor} is not an actor of namespace ${namespace} and has left a trace in it.`
  for (const commit of commits)
    if (!isOwn(commit.actor, namespace))
      yield { check: 'namespaces', text: trace(commit.actor), evidence: [commit] }
  for (const line of history.waiting)
    if (line.kind === 'timer' && !isOwn(line.actor, namespace))
      yield { check: 'namespaces', text: trace(line.actor), evidence: [line] }
}
