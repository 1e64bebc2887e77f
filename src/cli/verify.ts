// cairn verify: replays stored histories by given definitions, and lists what these cannot continue.
//
// Memory does not depend on the number of actors: a few are read at a time, one commit of each, and a problem is printed when it
// is found. Of their snapshots, `snapshotBytesMax` are in memory.

import type { AnyActorDefinition } from '../actor/definition.js'
import { Directives } from '../actor/directives.js'
import type { OpenNamespace } from '../backend/backend.js'
import { type ActorAddress, isReservedType, parseAddress } from '../model/address.js'
import { actorFlags, loadActors } from '../program/actors-file.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { textFlag, textFlags } from '../program/flags.js'
import type { EventStore } from '../store/event-store/event-store.js'
import { Snapshots } from '../store/snapshots/snapshots.js'
import { Turns } from '../store/turns.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { complain, printRow } from './output.js'
import { verifyActor } from './verify/actor.js'
import { ByteBudget } from './verify/byte-budget.js'
import type { Problem } from './verify/problem.js'
import { unknownCommands } from './verify/unknown-commands.js'

/** Actors that are read at the same time. */
const readsMax = 16
/** Bytes of the snapshots that are in memory at the same time, before they are decoded; a larger one is there alone. */
const snapshotBytesMax = 32 * 1024 * 1024

export const verify: CliCommand = {
  usage: 'verify [TYPE/ID] --actors FILE [--type T]',
  flags: {
    type: { type: 'string' },
    end: { type: 'string', multiple: true },
    ...actorFlags,
  },
  isLong: true,
  help: `  --actors FILE      the definitions to replay by, as for "node --actors"; may be repeated
  --demo             replay by the demo's definitions
  --type T           only this type (default: every type that has a definition)
  --end STATE        a state of a machine that is meant to have no way out, by its id, such as door.broken;
                     may be repeated
`,
  async run(flags, signal, progress) {
    const { 'TYPE/ID': name } = positionals(flags, [], ['TYPE/ID'])
    const only = name === undefined ? undefined : parseAddress(name)
    const type = only?.type ?? textFlag(flags, 'type')
    const definitions = chosen(await loadActors(flags), type)
    const ends = new Set(textFlags(flags, 'end'))
    return withNamespace(flags, async open => {
      const { store } = open
      const directives = new Directives({
        store,
        log: (_level, message) => complain(message),
      })
      const snapshots = new Snapshots(open.readModels)
      const budget = new ByteBudget(snapshotBytesMax)
      let replayed = 0
      let problems = 0
      const say = () => progress.say(told(replayed, problems))
      const found = async (problem: Problem) => {
        problems++
        const { actor, version, message } = problem
        const at = version === undefined ? '' : ` at version ${version}`
        await printRow(flags, problem, `${actor}${at}: ${message}`)
      }
      try {
        for (const definition of definitions) {
          const reading = { open, directives, snapshots, budget, signal }
          const options = { ...reading, definition, ends }
          await forEachActor(store, definition, only, signal, async actor => {
            for (const problem of await verifyActor(options, actor)) await found(problem)
            if (++replayed % 100 === 0) say()
          })
        }
        for await (const problem of unknownCommands(open, definitions, only, signal))
          await found(problem)
        complain(`${told(replayed, problems)}.`)
        if (type === undefined) await tellUndefined(open, definitions, signal)
      } finally {
        directives.close()
      }
      return problems === 0 ? exitCode.ok : exitCode.failed
    })
  },
}

function told(replayed: number, problems: number): string {
  const histories = replayed === 1 ? '1 history was' : `${replayed} histories were`
  return `${histories} replayed; ${problems} ${problems === 1 ? 'problem was' : 'problems were'} found`
}

function chosen(
  definitions: readonly AnyActorDefinition[],
  type: string | undefined,
): readonly AnyActorDefinition[] {
  if (definitions.length === 0)
    throw new UsageError(
      'No definitions are given to replay by: use --actors FILE, or --demo.',
    )
  if (type === undefined) return definitions
  const found = definitions.filter(definition => definition.type === type)
  if (found.length > 0) return found
  const types = definitions.map(definition => definition.type).join(', ')
  throw new UsageError(
    `Type ${JSON.stringify(type)} is not defined there: the definitions are of ${types}.`,
  )
}

/** Some at a time; rejects with the first error, when none is being read any more. */
async function forEachActor(
  store: EventStore,
  { type }: AnyActorDefinition,
  only: ActorAddress | undefined,
  signal: AbortSignal,
  work: (actor: ActorAddress) => Promise<void>,
): Promise<void> {
  if (only !== undefined) return work(only)
  const reads = new Set<Promise<void>>()
  // A store of this machine answers at once: signals and progress need their turns.
  const turns = new Turns()
  let failure: { readonly error: unknown } | undefined
  for await (const actor of store.actors({ type, signal })) {
    const read = work(actor)
      .catch((error: unknown) => void (failure ??= { error }))
      .finally(() => reads.delete(read))
    reads.add(read)
    if (reads.size >= readsMax) await Promise.race(reads)
    if (failure !== undefined) break
    await turns.next()
  }
  await Promise.all(reads)
  if (failure !== undefined) throw failure.error
}

/** Says which types have actors and no definition. */
async function tellUndefined(
  { store }: Pick<OpenNamespace, 'store'>,
  definitions: readonly AnyActorDefinition[],
  signal: AbortSignal,
): Promise<void> {
  const defined = new Set(definitions.map(({ type }) => type))
  const counts = new Map<string, number>()
  for await (const { type } of store.actors({ signal }))
    if (!defined.has(type) && !isReservedType(type))
      counts.set(type, (counts.get(type) ?? 0) + 1)
  for (const [type, count] of counts)
    complain(
      `Type ${type} has ${count === 1 ? '1 actor' : `${count} actors`} and no definition here: not replayed.`,
    )
}
