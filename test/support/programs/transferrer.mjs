// Moves money between the accounts p0, p1 and p2, by transactions, until it is killed or told to
// stop by SIGTERM.
//
// transferrer.mjs STORE NAMESPACE ID FROM: STORE is a server's URL or a directory. Prints one
// JSON line for each transfer that was answered. Transfer n has the id `<ID>-<n>`, and its
// accounts and amount follow from n, so a process that begins FROM where another one of this ID
// may have been asks the same again.

import { setTimeout } from 'node:timers/promises'

import { embedded, isCairnError, jetstream, startNode } from 'cairn-es'

import { account } from '../../../dist/program/demo/account.js'

const [place = '', namespace = '', id = '', from] = process.argv.slice(2)
const isServer = place.startsWith('nats:')
const start = async () => {
  for (;;)
    try {
      return await startNode({
        namespace,
        id: `${id}-${process.pid}`,
        store: isServer ? jetstream({ servers: place }) : embedded({ dir: place }),
        actors: [account],
        serve: false,
      })
    } catch (error) {
      // The server may have been killed just now.
      if (!isCairnError(error) || !error.retryable) throw error
      await setTimeout(100)
    }
}
const node = await start()

let going = true
process.once('SIGTERM', () => (going = false))

/** @type {(n: number) => Promise<{ ok: boolean, duplicate: boolean }>} */
const transfer = async n => {
  const [source, target] = [`p${n % 3}`, `p${(n + 1 + ((n >> 2) % 2)) % 3}`]
  const amount = 1 + (n % 9)
  for (;;)
    try {
      const outcome = await node.transact(
        async tx => {
          const taken = await tx.ask(account, source, 'withdraw', { amount })
          if (!taken.ok) return tx.abort(taken.rejection.code)
          await tx.ask(account, target, 'deposit', { amount })
          return amount
        },
        { id: `${id}-${n}` },
      )
      return { ok: outcome.ok, duplicate: outcome.ok && outcome.duplicate }
    } catch (error) {
      // As advised: once more, by its id.
      if (!isCairnError(error) || !error.retryable) throw error
    }
}

let next = Number(from)
const worker = async () => {
  while (going) {
    const n = next++
    const { ok, duplicate } = await transfer(n)
    process.stdout.write(`${JSON.stringify({ n, ok, duplicate })}\n`)
  }
}
await Promise.all([worker(), worker(), worker()])
await node.close()
