// Access to an actor from the command line: through a node that hosts its type, or, given its
// definition, in this process. Both are safe at the same time: the store judges.

import type { OpenNamespace } from '../backend/backend.js'
import { actorFlags, loadActors } from '../program/actors-file.js'
import { backendOf, type ParsedFlags, namespaceOf } from '../program/flags.js'
import type { Node } from '../runtime/node.js'
import { newCliId } from './command.js'

export const reachFlags = actorFlags

export const reachHelp = `  --actors FILE      run the actor here, by this file's definitions, instead of asking a node
  --demo             run it here, by the demo's definitions
`

export interface Ways<T> {
  /** In this process. */
  here(node: Node): Promise<T>
  /** Through the transport of the open namespace. */
  there(open: OpenNamespace): Promise<T>
}

/** @param create whether a run in this process creates a namespace that does not exist */
export async function reach<T>(
  flags: ParsedFlags,
  ways: Ways<T>,
  { create = false } = {},
): Promise<T> {
  const actors = await loadActors(flags)
  const namespace = namespaceOf(flags)
  const store = backendOf(flags)
  if (actors.length > 0) {
    const { startNode } = await import('../runtime/start-node.js')
    await using node = await startNode({
      namespace,
      store,
      actors,
      serve: false,
      log: false,
      create,
    })
    return await ways.here(node)
  }
  await using open = await store.open({ namespace, nodeId: newCliId(), create: false })
  return await ways.there(open)
}
