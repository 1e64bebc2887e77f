// cairn actor: an operator's directives for one actor. It needs no node: a directive is stored, and
// running nodes obey it once they have its notice.

import { userInfo } from 'node:os'

import { formatRange } from '../actor/skips.js'
import type {
  DirectiveOptions,
  DirectiveOutcome,
  Supervision,
} from '../actor/supervise.js'
import { parseAddress } from '../model/address.js'
import { defined } from '../model/defined.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { actorFlags, loadActors } from '../program/actors-file.js'
import {
  backendOf,
  countFlag,
  type ParsedFlags,
  namespaceOf,
  textFlag,
} from '../program/flags.js'
import { boundsOf, type CliCommand, positionals, verbOf, wantsJson } from './command.js'
import { confirm, confirmFlags } from './confirm.js'
import { complain, print, printRow } from './output.js'
import { toJson } from '../codec/json.js'

/** Each directive with what is printed once it is stored. */
const directives = {
  pause: 'is paused',
  resume: 'is resumed',
  retry: 'is read again where it was parked',
  skip: 'skips version',
} as const
type DirectiveName = keyof typeof directives
const directiveNames = Object.keys(directives) as DirectiveName[]

export const actor: CliCommand = {
  usage:
    'actor pause|resume|retry|skip TYPE/ID [--reason TEXT] [--by NAME] [--version V]',
  flags: {
    reason: { type: 'string' },
    by: { type: 'string' },
    version: { type: 'string' },
    timeout: { type: 'string' },
    ...confirmFlags,
    ...actorFlags,
  },
  verbs: directiveNames,
  help: `  pause              it takes no commands, on any node, until it is resumed
  resume             ends a pause
  retry              a parked actor is read again now
  skip               its state is folded without the event it is parked on, from now on, on every node
  --reason TEXT      why; kept in the audit trail
  --by NAME          the operator's name (default: your user name)
  --version V        skip: this version (default: the one that the actor is parked on)
  --timeout MS       deadline (default 10000)
  --yes              skip: do not ask; a script is not asked
  --actors FILE      skip: find the version that it is parked on here, by this file's definitions,
                     instead of asking a node
  --demo             the same, by the demo's definitions
`,
  async run(flags, signal, progress) {
    const given = positionals(flags, ['pause|resume|retry|skip', 'TYPE/ID'])
    const directive = verbOf(given['pause|resume|retry|skip'], directiveNames)
    const name = given['TYPE/ID']
    const address = parseAddress(name)
    const version = countFlag(flags, 'version')
    if (version !== undefined && directive !== 'skip')
      throw new UsageError(`--version belongs to skip: leave it out of ${directive}.`)
    const reason = textFlag(flags, 'reason')
    const bounds = boundsOf(flags, signal)
    if (directive === 'skip') {
      const what =
        version === undefined ? 'the event that it is parked on' : `version ${version}`
      await confirm(
        flags,
        `This leaves ${what} out of the state of ${name}`,
        progress,
        signal,
      )
    }
    const { startNode } = await import('../runtime/start-node.js')
    await using node = await startNode({
      namespace: namespaceOf(flags),
      store: backendOf(flags),
      actors: await loadActors(flags),
      serve: false,
      log: false,
      create: false,
    })
    const outcome = await give(directive, node.supervise(address), version, {
      by: textFlag(flags, 'by') ?? userName(),
      ...bounds,
      ...defined({ reason }),
    })
    const { version: last } = await node.store.head(address, { signal })
    if (last === 0) complain(`${name} has no events: is that its name?`)
    return printOutcome(directive, name, outcome, flags)
  },
}

function give(
  directive: DirectiveName,
  supervision: Supervision,
  version: number | undefined,
  options: DirectiveOptions,
): Promise<DirectiveOutcome> {
  if (directive !== 'skip') return supervision[directive](options)
  return supervision.skip({ ...options, ...defined({ version }) })
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'cairn' // A user without a name, as containers have them.
  }
}

async function printOutcome(
  directive: DirectiveName,
  actorName: string,
  outcome: DirectiveOutcome,
  flags: ParsedFlags,
): Promise<number> {
  if (!outcome.ok) {
    const { version, rejection } = outcome
    if (wantsJson(flags)) await print(toJson({ version, rejection }))
    complain(`${actorName}: ${rejection.message} [${rejection.code}]`)
    return exitCode.failed
  }
  const { version, position, reply } = outcome
  const { paused, skipped, retries } = reply
  const ranges = directive === 'skip' ? ` ${skipped.map(formatRange).join(',')}` : ''
  await printRow(
    flags,
    { actor: actorName, version, position, paused, skipped, retries },
    `${actorName} ${directives[directive]}${ranges}`,
  )
  return exitCode.ok
}
