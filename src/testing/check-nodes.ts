// The nodes, held against the log when all is quiet: they are coherent (P5).

import type { FoldedState } from '../actor/fold.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import { messageOf } from '../model/errors.js'
import type { ClusterNode } from './cluster-node.js'
import type { Histories } from './histories.js'
import { isSame } from './same.js'

export async function checkNodes(
  histories: Histories,
  nodes: readonly ClusterNode[],
): Promise<string[]> {
  const problems: string[] = []
  // Caches first: what is asked for next heals them.
  for (const { id, store } of nodes)
    for (const { actor } of histories.all()) {
      const cached = store.cachedVersion(actor)
      const version = histories.versionOf(actor)
      if (cached !== undefined && cached !== version)
        problems.push(
          `P5: node ${id} believes ${formatAddress(actor)} to be at version ${cached}; the log ends ` +
            `at ${version}.`,
        )
    }
  for (const node of nodes)
    for (const { actor } of histories.all())
      problems.push(...(await checkState(histories, node, actor)))
  return problems
}

async function checkState(
  histories: Histories,
  node: ClusterNode,
  actor: ActorAddress,
): Promise<string[]> {
  const version = histories.versionOf(actor)
  const name = formatAddress(actor)
  let expected: FoldedState | undefined
  try {
    expected = histories.stateAt(actor, version)
  } catch {
    return [] // The log cannot be folded, which is told as P1.
  }
  if (expected === undefined) return []
  try {
    const actual = await node.state(actor)
    if (actual.version === version && isSame(actual.state, expected.state)) return []
    return [
      `P5: node ${node.id} has ${name} at version ${actual.version} in a state that the log, which ` +
        `ends at ${version}, does not lead to.`,
    ]
  } catch (error) {
    return [`P5: node ${node.id} cannot tell the state of ${name}: ${messageOf(error)}`]
  }
}
