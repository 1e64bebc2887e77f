// Reaching an actor from the command line: through a node that serves its type, or, with
// definitions at hand, in this process. Both are safe at the same time: the store judges.

import type { OpenNamespace } from '../backend/backend.js'
import { newId } from '../model/id.js'
import { actorFlags, loadActors } from '../program/actors-file.js'
import { backendOf, type Flags, namespaceOf } from '../program/flags.js'
import type { Node } from '../runtime/start-node.js'

export const reachFlags = actorFlags

export const reachHelp = `  --actors FILE      run the actor here, from this file's definitions, instead of asking a node
  --demo             run it here, from the demo's definitions
`

export interface Ways<T> {
  /** In this process. */
  here(node: Node): Promise<T>
  /** Through the transport of the open namespace. */
  there(open: OpenNamespace): Promise<T>
}

export async function reach<T>(flags: Flags, ways: Ways<T>): Promise<T> {
  const actors = await loadActors(flags)
  const namespace = namespaceOf(flags)
  const backend = await backendOf(flags)
  if (actors.length > 0) {
    const { startNode } = await import('../runtime/start-node.js')
    await using node = await startNode({
      namespace,
      store: backend,
      actors,
      serve: false,
    })
    return await ways.here(node)
  }
  const nodeId = `cli-${newId().slice(0, 8)}`
  await using open = await backend.open({ namespace, nodeId })
  return await ways.there(open)
}
