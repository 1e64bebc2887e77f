// A cluster's bad day, as one story: under constant load from a fourth process's point of
// view, one of three nodes is killed, two join, one is drained, one is stopped for longer
// than the others wait for it and then goes on. Every command without an answer is asked
// again by its id until it has one. One is cut off from the server for as long, and comes back.

import t from 'tap'

import { jetstream, type Node, startNode as startClient } from '../../src/index.js'
import { isCairnError } from '../../src/model/errors.js'
import { pause } from '../../src/model/wait.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { Fleet } from './fleet.js'
import { examine } from './load.js'

interface Answer {
  readonly actor: string
  readonly version: number
}

/** Deposits from several workers; each command is asked until it is answered. */
class PersistentLoad {
  readonly answers = new Map<string, Answer>()
  asked = 0
  askedAgain = 0
  duplicates = 0
  #going = true
  readonly #workers: Promise<void>[]

  constructor(client: Node, workers: number, actors: number) {
    this.#workers = Array.from({ length: workers }, (_, worker) =>
      this.#drive(client, worker, actors),
    )
  }

  async more(count: number, describe: string): Promise<void> {
    const enough = this.answers.size + count
    await until(() => this.answers.size >= enough, { describe, timeout: 60_000 })
  }

  async end(): Promise<void> {
    this.#going = false
    await Promise.all(this.#workers)
  }

  async #drive(client: Node, worker: number, actors: number): Promise<void> {
    let n = -1
    while (this.#going) {
      n++
      const actor = { type: 'account', id: `a${(worker + n) % actors}` }
      const commandId = `${worker}-${n}`
      this.asked++
      for (;;) {
        try {
          const options = { commandId, timeout: 2_000 }
          const outcome = await client.ask(actor, 'deposit', { amount: 1 }, options)
          if (!outcome.ok)
            throw new Error(`deposit was refused: ${outcome.rejection.code}`)
          if (outcome.duplicate) this.duplicates++
          this.answers.set(commandId, { actor: actor.id, version: outcome.version })
          break
        } catch (error) {
          if (!isCairnError(error)) throw error
          this.askedAgain++
          await pause(10)
        }
      }
    }
  }
}

await t.test('every command acts once, whatever becomes of the nodes', async t => {
  await using server = await startNats()
  const namespace = 'story'
  const flags = ['--ns', namespace, '--demo']
  await using fleet = await Fleet.start(['first', 'second', 'third'], {
    url: server.url,
    flags,
  })
  await using client = await startClient({
    namespace,
    store: jetstream({ servers: server.url }),
  })
  const members = () => client.members().map(({ id }) => id)
  await until(() => members().length === 3, { describe: 'the client sees three nodes' })
  const load = new PersistentLoad(client, 12, 40)
  await load.more(300, 'a quiet beginning')

  await fleet.kill('first')
  await load.more(300, 'without the first, killed')
  await until(() => !members().includes('first'), {
    describe: 'the first is known to be dead',
  })

  await fleet.add('fourth')
  await fleet.add('fifth')
  await until(() => members().length === 4, { describe: 'the client sees the newcomers' })
  await load.more(300, 'with two newcomers')

  t.equal(await fleet.drain('second'), 0, 'the drained node exits 0')
  t.notOk(members().includes('second'), 'and is no member any more')
  await load.more(300, 'without the second, drained')

  fleet.pause('third')
  await until(() => !members().includes('third'), {
    describe: 'the third, stopped, is given up',
    timeout: 30_000,
  })
  await load.more(300, 'without the third, stopped')
  fleet.resume('third')
  await until(() => members().includes('third'), { describe: 'the third is back' })
  await load.more(300, 'with the third back')

  fleet.partition('fourth')
  await until(() => !members().includes('fourth'), {
    describe: 'the fourth, cut off, is given up',
    timeout: 60_000,
  })
  await load.more(300, 'without the fourth, cut off')
  fleet.heal('fourth')
  await until(() => members().includes('fourth'), {
    describe: 'the fourth is back',
    timeout: 60_000,
  })
  await load.more(300, 'with the fourth back')

  await load.end()
  const log = await examine(client.store)
  t.strictSame(log.gaps, [], 'versions have no gap')
  t.equal(log.malformed, 0)
  const wrong = [...load.answers].filter(
    ([id, { actor, version }]) => log.versions.get(actor)?.get(version) !== id,
  )
  t.strictSame(wrong, [], 'every answer names the version at which its command stands')
  t.strictSame(
    [...log.commands].filter(([, times]) => times > 1),
    [],
    'no command acted twice',
  )
  t.equal(log.commands.size, load.answers.size, 'and none that was not answered')
  t.equal(load.answers.size, load.asked, 'every command has its answer')
  t.ok(
    log.writers.has('fourth') && log.writers.has('fifth'),
    'the newcomers had their share',
  )
  t.comment(
    `${load.asked} commands, ${load.askedAgain} asked again, ${load.duplicates} answered as ` +
      `duplicates, written by ${[...log.writers].map(([id, n]) => `${id}: ${n}`).join(', ')}`,
  )
  for (const id of fleet.ids) t.equal(await fleet.drain(id), 0, `${id} exits 0`)
})
