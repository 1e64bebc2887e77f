// cairn verify: replays stored histories by given definitions, and lists those that do not fold.

import type { AnyActorDefinition } from '../actor/definition.js'
import { Directives } from '../actor/directives.js'
import { type VerifiedState, type VerifyResult, verifyHistory } from '../actor/verify.js'
import type { OpenNamespace } from '../backend/backend.js'
import { type ActorAddress, formatAddress, parseAddress } from '../model/address.js'
import { pause } from '../model/wait.js'
import { actorFlags, loadActors } from '../program/actors-file.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { textFlag } from '../program/flags.js'
import { type TimerFault, verifyTimers } from '../delivery/commands/verify-timers.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { Version } from '../model/version.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { complain, printRow } from './output.js'
import { isoTime } from '../runtime/views/iso-time.js'

export const verify: CliCommand = {
  usage: 'verify [TYPE/ID] --actors FILE [--type T]',
  summary:
    'replay stored histories by new code, and list those that do not fold any more',
  flags: { type: { type: 'string' }, ...actorFlags },
  help: `  --actors FILE      the definitions to replay by, as for "node --actors"; may be repeated
  --demo             replay by the demo's definitions
  --type T           only this type (default: every type that has a definition)
`,
  async run(flags, signal) {
    const { 'TYPE/ID': name } = positionals(flags, [], ['TYPE/ID'])
    const only = name === undefined ? undefined : parseAddress(name)
    const definitions = chosen(
      await loadActors(flags),
      only?.type ?? textFlag(flags, 'type'),
    )
    return withNamespace(flags, async open => {
      const { store } = open
      const directives = new Directives({
        store,
        log: (_level, message) => complain(message),
      })
      let replayed = 0
      let failed = 0
      for (const definition of definitions)
        for await (const actor of actorsOf(store, definition, only, signal)) {
          const verdict = await verdictOn(open, directives, definition, actor, signal)
          replayed++
          if (verdict.kind === 'folds') continue
          failed++
          const view = viewOf(actor, verdict)
          const line = `${view.actor} at version ${view.version}: ${view.message}`
          await printRow(flags, view, line)
        }
      directives.close()
      complain(
        `${replayed} ${replayed === 1 ? 'history was' : 'histories were'} replayed; ${failed} did not fold to what is stored.`,
      )
      return failed === 0 ? exitCode.ok : exitCode.failed
    })
  },
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

async function* actorsOf(
  store: EventStore,
  { type }: AnyActorDefinition,
  only: ActorAddress | undefined,
  signal: AbortSignal,
): AsyncGenerator<ActorAddress> {
  if (only === undefined) yield* store.actors({ type, signal })
  else yield only
}

type Finding =
  | VerifyResult
  /** The timers that are set are not those that its state waits for. */
  | {
      readonly kind: 'timers'
      readonly version: Version
      readonly faults: readonly TimerFault[]
    }

const readsMax = 3
/** Milliseconds between two reads. */
const readPause = 500

/**
 * Timers are set after the commits that set them, so a fault in them counts only if later reads
 * find it, too.
 */
async function verdictOn(
  { store, timers, documents, partitions }: OpenNamespace,
  directives: Directives,
  { behavior }: AnyActorDefinition,
  actor: ActorAddress,
  signal: AbortSignal,
): Promise<Finding> {
  for (let read = 1; ; read++) {
    const { skips } = await directives.now(actor, signal)
    let at: VerifiedState | undefined
    const folded = (found: VerifiedState) => void (at = found)
    const options = { store, actor, behavior, skips, signal, folded }
    const verdict = await verifyHistory(options)
    if (at === undefined) return verdict
    const now = Date.now()
    const where = { timers, documents, partitions }
    const faults = await verifyTimers({ ...where, actor, behavior, at, now, signal })
    if (faults.length === 0) return verdict
    if (read === readsMax) return { kind: 'timers', version: verdict.version, faults }
    await pause(readPause, signal)
  }
}

function faultText({ name, wanted, set }: TimerFault): string {
  const timer = `timer ${JSON.stringify(name)}`
  if (set === undefined)
    return `it waits for ${timer}, due ${isoTime(wanted!)}, which is not set`
  if (wanted === undefined)
    return `${timer} is set, due ${isoTime(set)}, and it does not wait for it`
  return `${timer} is set for ${isoTime(set)}, and it waits for ${isoTime(wanted)}`
}

function viewOf(actor: ActorAddress, verdict: Exclude<Finding, { kind: 'folds' }>) {
  const { kind, version } = verdict
  const message =
    kind === 'fails'
      ? verdict.error.message
      : kind === 'timers'
        ? `${verdict.faults.map(faultText).join('; ')}.`
        : 'it folds to another state than the one that is stored with it, by the same version of the ' +
          'definition: raise that version, or make the fold pure.'
  return { actor: formatAddress(actor), version, problem: kind, message }
}
