// cairn state: an actor's state, now, as fresh as wanted, or as it was.

import type { StateReading } from '../actor/definition.js'
import type { OpenNamespace } from '../backend/backend.js'
import { type ActorAddress, parseAddress } from '../model/address.js'
import { isCairnError } from '../model/errors.js'
import type { Freshness } from '../model/freshness.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { count, type Flags, text } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { type CliCommand, positionals, wantsJson } from './command.js'
import { print, toJson } from './output.js'
import { reach, reachFlags, reachHelp } from './reach.js'

export const state: CliCommand = {
  usage: 'state TYPE/ID [--version V | --fresh HOW | --after V] [--timeout MS]',
  summary: "print an actor's state, now or as of a version",
  flags: {
    version: { type: 'string' },
    fresh: { type: 'string' },
    after: { type: 'string' },
    timeout: { type: 'string' },
    ...reachFlags,
  },
  help: `  --version V        as it was at this version
  --fresh HOW        latest (default): proven by a read; local: what the node that answers has in
                     memory, which may be old
  --after V          at least at this version: waits for it until the deadline
  --timeout MS       deadline (default 10000)
${reachHelp}`,
  async run(flags, signal) {
    const given = positionals(flags, ['TYPE/ID'])
    const actor = parseAddress(given['TYPE/ID']!)
    const at = momentOf(flags)
    const timeout = count(flags, 'timeout')
    const limits = { signal, ...(timeout !== undefined && { timeout }) }
    const { version, state: known = null } = await reach<StateReading>(flags, {
      here: node => node.state(actor, { ...limits, ...at }),
      there: open => askForState(open, actor, at, limits),
    })
    await print(
      wantsJson(flags)
        ? toJson({ version, state: known })
        : plain(`${given['TYPE/ID']} at version ${version}: ${toJson(known)}`),
    )
    return exitCode.ok
  },
}

interface Moment {
  readonly version?: number
  readonly freshness?: Freshness
}

function momentOf(flags: Flags): Moment {
  const version = count(flags, 'version')
  const after = count(flags, 'after')
  const fresh = text(flags, 'fresh')
  const given = [version, after, fresh].filter(value => value !== undefined)
  if (given.length > 1)
    throw new UsageError('--version, --fresh and --after exclude each other: pass one.')
  if (version !== undefined) return { version }
  if (after !== undefined) return { freshness: { after } }
  if (fresh === undefined) return {}
  if (fresh === 'local' || fresh === 'latest') return { freshness: fresh }
  throw new UsageError(`--fresh is ${JSON.stringify(fresh)}: use local or latest.`)
}

/** From a node; with no node there, from the last commit if it carries the state. */
async function askForState(
  { transport, store }: OpenNamespace,
  actor: ActorAddress,
  at: Moment,
  limits: { readonly signal: AbortSignal; readonly timeout?: number },
): Promise<StateReading> {
  try {
    return (await transport.request(
      { kind: 'state', actor, ...at },
      limits,
    )) as StateReading
  } catch (error) {
    if (!isCairnError(error, 'no-node')) throw error
    const { signal } = limits
    const { last, version } = await store.head(actor, { signal })
    const { freshness } = at
    const isWanted =
      typeof freshness === 'object'
        ? version >= freshness.after
        : at.version === undefined || at.version === version
    if (isWanted && last?.kind === 'commit' && last.state !== undefined)
      return { version, state: last.state.value }
    throw error
  }
}
