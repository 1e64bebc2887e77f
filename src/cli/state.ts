// cairn state: an actor's state, now or as it was.

import type { StateReading } from '../actor/actor.js'
import type { OpenNamespace } from '../backend/backend.js'
import { type ActorAddress, parseAddress } from '../model/address.js'
import { isCairnError } from '../model/errors.js'
import { exitCode } from '../program/exit-codes.js'
import { count } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { type CliCommand, positionals, wantsJson } from './command.js'
import { print, toJson } from './output.js'
import { reach, reachFlags, reachHelp } from './reach.js'

export const state: CliCommand = {
  usage: 'state TYPE/ID [--version V]',
  summary: "print an actor's state, now or as of a version",
  flags: { version: { type: 'string' }, ...reachFlags },
  help: `  --version V        as it was at this version
${reachHelp}`,
  async run(flags, signal) {
    const given = positionals(flags, ['TYPE/ID'])
    const actor = parseAddress(given['TYPE/ID']!)
    const wanted = count(flags, 'version')
    const at = wanted === undefined ? {} : { version: wanted }
    const { version, state: known = null } = await reach<StateReading>(flags, {
      here: node => node.state(actor, { signal, ...at }),
      there: open => askForState(open, actor, at, signal),
    })
    await print(
      wantsJson(flags)
        ? toJson({ version, state: known })
        : plain(`${given['TYPE/ID']} at version ${version}: ${toJson(known)}`),
    )
    return exitCode.ok
  },
}

/** From a node; with no node there, from the last commit if it carries the state. */
async function askForState(
  { transport, store }: OpenNamespace,
  actor: ActorAddress,
  at: { version?: number },
  signal: AbortSignal,
): Promise<StateReading> {
  try {
    return (await transport.request(
      { kind: 'state', actor, ...at },
      { signal },
    )) as StateReading
  } catch (error) {
    if (!isCairnError(error, 'no-node')) throw error
    const { last, version } = await store.head(actor, { signal })
    const isWanted = at.version === undefined || at.version === version
    if (isWanted && last?.kind === 'commit' && last.state !== undefined)
      return { version, state: last.state.value }
    throw error
  }
}
