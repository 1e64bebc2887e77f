// cairn actor: what operators say about one actor. Needs no node: what is said is stored, and
// the nodes there are hear of it.

import { userInfo } from 'node:os'

import { formatRange } from '../actor/skips.js'
import type {
  DirectiveOptions,
  DirectiveOutcome,
  Supervision,
} from '../actor/supervise.js'
import { parseAddress } from '../model/address.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { actorFlags, loadActors } from '../program/actors-file.js'
import { backendOf, count, type Flags, namespaceOf, text } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { type CliCommand, positionals, wantsJson } from './command.js'
import { complain, print, toJson } from './output.js'

const orders = ['pause', 'resume', 'retry', 'skip'] as const
type OrderName = (typeof orders)[number]

const said: Readonly<Record<OrderName, string>> = {
  pause: 'is paused',
  resume: 'is resumed',
  retry: 'is read anew where it was parked',
  skip: 'passes over version',
}

export const actor: CliCommand = {
  usage:
    'actor pause|resume|retry|skip TYPE/ID [--reason TEXT] [--by NAME] [--version V]',
  summary: 'pause or resume an actor, or help a parked one on',
  flags: {
    reason: { type: 'string' },
    by: { type: 'string' },
    version: { type: 'string' },
    timeout: { type: 'string' },
    ...actorFlags,
  },
  help: `  pause              it takes no commands, on whichever node, until it is resumed
  resume             ends a pause
  retry              a parked actor is read anew now
  skip               its state is folded without the event it is parked on, from now on, everywhere
  --reason TEXT      why; kept in the audit trail
  --by NAME          who says so (default: your user name)
  --version V        skip: this version (default: what the actor is parked on)
  --timeout MS       deadline (default 10000)
  --actors FILE      skip: find out here what it is parked on, from this file's definitions,
                     instead of asking a node
  --demo             the same, from the demo's definitions
`,
  async run(flags, signal) {
    const given = positionals(flags, ['pause|resume|retry|skip', 'TYPE/ID'])
    const name = orderOf(given['pause|resume|retry|skip']!)
    const address = parseAddress(given['TYPE/ID']!)
    const version = count(flags, 'version')
    if (version !== undefined && name !== 'skip')
      throw new UsageError(`--version belongs to skip: leave it out of ${name}.`)
    const reason = text(flags, 'reason')
    const timeout = count(flags, 'timeout')
    const { startNode } = await import('../runtime/start-node.js')
    await using node = await startNode({
      namespace: namespaceOf(flags),
      store: await backendOf(flags),
      actors: await loadActors(flags),
      serve: false,
    })
    const outcome = await give(name, node.supervise(address), version, {
      by: text(flags, 'by') ?? userName(),
      signal,
      ...(reason !== undefined && { reason }),
      ...(timeout !== undefined && { timeout }),
    })
    const { version: last } = await node.store.head(address, { signal })
    if (last === 0) complain(`${given['TYPE/ID']} has no events: is that its name?`)
    return printOutcome(name, given['TYPE/ID']!, outcome, flags)
  },
}

function orderOf(given: string): OrderName {
  const name = orders.find(order => order === given)
  if (name !== undefined) return name
  throw new UsageError(`${JSON.stringify(given)} is no order: use ${orders.join(', ')}.`)
}

function give(
  name: OrderName,
  supervision: Supervision,
  version: number | undefined,
  options: DirectiveOptions,
): Promise<DirectiveOutcome> {
  if (name !== 'skip') return supervision[name](options)
  return supervision.skip({ ...options, ...(version !== undefined && { version }) })
}

/** Who runs this, as far as the machine knows. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'cairn' // A user without a name, as containers have them.
  }
}

async function printOutcome(
  name: OrderName,
  actorName: string,
  outcome: DirectiveOutcome,
  flags: Flags,
): Promise<number> {
  if (!outcome.ok) {
    const { version, rejection } = outcome
    if (wantsJson(flags)) await print(toJson({ version, rejection }))
    complain(`${actorName}: ${rejection.message} [${rejection.code}]`)
    return exitCode.failed
  }
  const { version, position, reply } = outcome
  const { paused, skipped, retries } = reply
  const skips = skipped.map(formatRange).join(',')
  await print(
    wantsJson(flags)
      ? toJson({ actor: actorName, version, position, paused, skipped, retries })
      : plain(`${actorName} ${said[name]}${name === 'skip' ? ` ${skips}` : ''}`),
  )
  return exitCode.ok
}
