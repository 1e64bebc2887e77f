// Which requests a lost node made wait. Pure.

/** @typedef {import('./traffic.mjs').Request} Request */

/**
 * A request was affected when its actor was the lost node's at the signal, and it was under
 * way then or was due before the first answer of the actor's next owner. Those before are the
 * same actors' requests in the undisturbed time, begun and answered within it.
 *
 * @param {readonly Request[]} requests all answered
 * @param {ReadonlyMap<string, string>} writers command id → the node that carried it out
 * @param {{ node: string, calmFrom: number, signalAt: number }} lost the node, from when the
 *   time was undisturbed, and when the node got its signal
 * @returns {{ affected: Request[], before: Request[] }}
 */
export const findAffected = (requests, writers, { node, calmFrom, signalAt }) => {
  /** @type {Map<number, string | undefined>} */
  const owner = new Map()
  /** @type {Map<number, number>} */
  const takenOver = new Map()
  const carriedOut = requests.filter(one => one.version !== undefined)
  for (const request of carriedOut.toSorted((a, b) => answerOf(a) - answerOf(b))) {
    const { actor, commandId } = request
    const writer = writers.get(commandId)
    if (answerOf(request) < signalAt) owner.set(actor, writer)
    else if (writer !== node && !takenOver.has(actor))
      takenOver.set(actor, answerOf(request))
  }
  const ofNode = requests.filter(({ actor }) => owner.get(actor) === node)
  const isAffected = (/** @type {Request} */ one) =>
    answerOf(one) >= signalAt && one.due <= (takenOver.get(one.actor) ?? Infinity)
  const isBefore = (/** @type {Request} */ one) =>
    one.due >= calmFrom && answerOf(one) < signalAt
  return { affected: ofNode.filter(isAffected), before: ofNode.filter(isBefore) }
}

/** @param {Request} request */
const answerOf = ({ answeredAt = Infinity }) => answeredAt

/**
 * Milliseconds from when the request was due to its answer.
 *
 * @param {Request} request
 */
export const latencyOf = request => answerOf(request) - request.due
