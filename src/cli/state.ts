// cairn state: prints an actor's state, now, as fresh as wanted, or as of a version.

import type { StateReading } from '../actor/definition.js'
import type { OpenNamespace } from '../backend/backend.js'
import { type ActorAddress, parseAddress } from '../model/address.js'
import { isCairnError } from '../model/errors.js'
import type { Freshness } from '../model/freshness.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { countFlag, type ParsedFlags, textFlag } from '../program/flags.js'
import { boundsOf, type CliCommand, positionals } from './command.js'
import { printRow } from './output.js'
import { toJson } from '../codec/json.js'
import { reach, reachFlags, reachHelp } from './reach.js'

export const state: CliCommand = {
  usage: 'state TYPE/ID [--version V | --fresh HOW | --after V] [--timeout MS]',
  flags: {
    version: { type: 'string' },
    fresh: { type: 'string' },
    after: { type: 'string' },
    timeout: { type: 'string' },
    ...reachFlags,
  },
  help: `  --version V        as it was at this version
  --fresh HOW        latest (default): verified by a read; local: from the memory of the node that
                     answers, which may be old
  --after V          at least at this version: waits for it until the deadline
  --timeout MS       deadline (default 10000)
${reachHelp}`,
  async run(flags, signal) {
    const name = positionals(flags, ['TYPE/ID'])['TYPE/ID']
    const actor = parseAddress(name)
    const wanted = wantedState(flags)
    const bounds = boundsOf(flags, signal)
    const { version, state: known = null } = await reach<StateReading>(
      flags,
      {
        here: node => node.state(actor, { ...bounds, ...wanted }),
        there: open => askForState(open, actor, wanted, bounds),
      },
      { type: actor.type, signal },
    )
    const line = `${name} at version ${version}: ${toJson(known)}`
    await printRow(flags, { version, state: known }, line)
    return exitCode.ok
  },
}

interface WantedState {
  readonly version?: number
  readonly freshness?: Freshness
}

function wantedState(flags: ParsedFlags): WantedState {
  const version = countFlag(flags, 'version')
  const after = countFlag(flags, 'after')
  const fresh = textFlag(flags, 'fresh')
  const given = [version, after, fresh].filter(value => value !== undefined)
  if (given.length > 1)
    throw new UsageError('--version, --fresh and --after exclude each other: pass one.')
  if (version !== undefined) return { version }
  if (after !== undefined) return { freshness: { after } }
  if (fresh === undefined) return {}
  if (fresh === 'local' || fresh === 'latest') return { freshness: fresh }
  throw new UsageError(`--fresh is ${JSON.stringify(fresh)}: use local or latest.`)
}

/**
 * Asks a node. Without one, or as a user who may only read, reads the inline state of the last commit if there is one.
 */
async function askForState(
  { transport, store }: OpenNamespace,
  actor: ActorAddress,
  wanted: WantedState,
  bounds: { readonly signal: AbortSignal; readonly timeout?: number },
): Promise<StateReading> {
  try {
    return (await transport.request(
      { kind: 'state', actor, ...wanted },
      bounds,
    )) as StateReading
  } catch (error) {
    if (!isCairnError(error, 'no-node') && !isCairnError(error, 'unauthorized'))
      throw error
    const { signal } = bounds
    const { last, version, position } = await store.head(actor, { signal })
    const { freshness } = wanted
    const isWanted =
      typeof freshness === 'object'
        ? version >= freshness.after
        : wanted.version === undefined || wanted.version === version
    if (isWanted && last?.kind === 'commit' && last.state !== undefined)
      return { version, position, state: last.state.value, exists: true }
    throw error
  }
}
