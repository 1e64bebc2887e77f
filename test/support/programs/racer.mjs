// A node that takes no part in the placement of actors: it decides for whatever it is asked
// itself, as a node does that is wrong about who owns an actor.
//
// racer.mjs SERVERS NAMESPACE ID COUNT: makes deposits into account/a0 and prints one JSON
// line for each that was acknowledged.

import { isCairnError, jetstream, startNode } from 'cairn-es'

import { account } from '../../../dist/program/demo/account.js'

const [servers = '', namespace = '', id = '', count] = process.argv.slice(2)
const node = await startNode({
  namespace,
  id,
  store: jetstream({ servers }),
  actors: [account],
  serve: false,
})
const ref = node.spawn(account, 'a0')
/** @type {(commandId: string) => ReturnType<typeof ref.ask<'deposit'>>} */
const deposit = commandId =>
  ref.ask('deposit', { amount: 1 }, { commandId }).catch(error => {
    // Others were faster ten times in a row, or all the time: as advised, once more, by its id.
    if (isCairnError(error) && error.retryable) return deposit(commandId)
    throw error
  })
let sent = 0
const worker = async () => {
  while (sent < Number(count)) {
    const commandId = `${id}-${sent++}`
    const { ok, version } = await deposit(commandId)
    if (ok) process.stdout.write(`${JSON.stringify({ commandId, version })}\n`)
  }
}
await Promise.all(Array.from({ length: 8 }, worker))
await node.close()
