// Access to an actor from the command line: through a node that hosts its type, or, given its
// definition, in this process. Both are safe at the same time: the store judges.

import type { OpenNamespace } from '../backend/backend.js'
import { CairnError, isCairnError } from '../model/errors.js'
import { didYouMean } from '../model/nearest.js'
import { actorFlags, loadActors } from '../program/actors-file.js'
import { backendOf, type ParsedFlags, namespaceOf } from '../program/flags.js'
import type { Node } from '../runtime/node.js'
import { newCliId } from './command.js'
import { readMembers } from './members.js'

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
  { type, signal }: { readonly type: string; readonly signal: AbortSignal },
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
  try {
    return await ways.there(open)
  } catch (error) {
    if (!isCairnError(error, 'no-node')) throw error
    throw await withHosted(error, type, open, signal)
  }
}

/** The error that no node hosts the type, with the types that are hosted: the type may be a slip. */
async function withHosted(
  failure: CairnError,
  type: string,
  open: OpenNamespace,
  signal: AbortSignal,
): Promise<CairnError> {
  // What failed is the command: without the list, its error stands as it is.
  const members = await readMembers(open, signal).catch(() => [])
  const types = [...new Set(members.flatMap(member => member.types))].toSorted()
  if (types.length === 0) return failure
  const meant = didYouMean(type, types)
  return new CairnError(
    'no-node',
    `${failure.message} The nodes that run host ${types.join(', ')}.${meant}`,
    { cause: failure, details: failure.details },
  )
}
