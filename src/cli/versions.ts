// cairn versions: the behavior versions that run, and the minimum versions of the namespace.

import type { Member } from '../cluster/membership.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { countFlag, isSet } from '../program/flags.js'
import {
  membersBehind,
  readMinimum,
  setMinimum,
  type Versions,
  versionsOfMember,
  withChange,
} from '../runtime/minimum-versions.js'
import { type CliCommand, verbOf, withNamespace } from './command.js'
import { readMembers } from './members.js'
import { complain } from './output.js'
import { Table } from './table.js'
import { programs } from '../model/programs.js'

export const versions: CliCommand = {
  usage: 'versions [require TYPE=VERSION…] [--wire VERSION] [--dry-run]',
  flags: { wire: { type: 'string' }, 'dry-run': { type: 'boolean' } },
  verbs: ['require'],
  help: `  require TYPE=V…    refuse nodes with an earlier version of an actor type; TYPE=1 allows all again
  --wire VERSION     with require: refuse nodes that read only earlier wire versions
  --dry-run          with require: change nothing, and say which nodes are behind

A node that does not meet the minimum is refused when it starts. The minimum is not changed while a member does not
meet it.

`,
  run(flags, signal) {
    const [verb, ...named] = flags.positionals
    const wire = countFlag(flags, 'wire')
    const isDryRun = isSet(flags, 'dry-run')
    if (verb === undefined) {
      if (wire !== undefined || isDryRun)
        throw new UsageError(
          `--wire and --dry-run need "${programs.cairn} versions require".`,
        )
      return withNamespace(flags, async open => {
        const minimum = await readMinimum(open.documents)
        await show(minimum, await readMembers(open, signal))
        return exitCode.ok
      })
    }
    verbOf(verb, ['require'])
    if (named.length === 0 && wire === undefined)
      throw new UsageError('TYPE=VERSION is missing, such as account=2.')
    const actors = Object.fromEntries(named.map(parseRequirement))
    const change = wire === undefined ? { actors } : { actors, wire }
    return withNamespace(flags, async open => {
      if (!isDryRun) {
        const members = () => readMembers(open, signal)
        await show(await setMinimum(open.documents, members, change), [])
        return exitCode.ok
      }
      const minimum = withChange(await readMinimum(open.documents), change)
      const lacks = membersBehind(await readMembers(open, signal), minimum)
      for (const lack of lacks) complain(`Behind: ${lack}.`)
      await show(minimum, [])
      return lacks.length === 0 ? exitCode.ok : exitCode.failed
    })

    /** A line for the wire version, and one for each type that has a minimum or runs. */
    async function show(minimum: Versions, members: readonly Member[]): Promise<void> {
      const running = members.map(versionsOfMember)
      const table = new Table<Row>(flags, {
        columns: [
          { title: 'version of', text: nameOf },
          { title: 'minimum', text: minimumOf, isNumber: true },
          { title: 'runs', text: ({ runs }) => runs.join(', ') },
        ],
        line: row =>
          `${nameOf(row)}  minimum ${minimumOf(row)}` +
          (row.runs.length > 0 ? `  runs ${row.runs.join(', ')}` : ''),
      })
      const { wire } = minimum
      await table.row({ wire, runs: distinct(running.map(one => one.wire)) })
      const types = new Set([minimum, ...running].flatMap(one => Object.keys(one.actors)))
      for (const type of [...types].toSorted()) {
        const least = minimum.actors[type] ?? 1
        const runs = distinct(running.flatMap(one => one.actors[type] ?? []))
        await table.row({ type, minimum: least, runs })
      }
      await table.end()
    }
  },
}

/** The wire version, or that of a type. */
type Row = { readonly runs: readonly number[] } & (
  { readonly wire: number } | { readonly type: string; readonly minimum: number }
)

const nameOf = (row: Row) => ('wire' in row ? 'wire version' : row.type)
const minimumOf = (row: Row) => ('wire' in row ? row.wire : row.minimum)
const distinct = (all: readonly number[]) => [...new Set(all)].toSorted((a, b) => a - b)

/** `account=2` */
function parseRequirement(given: string): [string, number] {
  const [, type, version] = /^([^=]+)=(\d+)$/.exec(given) ?? []
  if (type === undefined)
    throw new UsageError(
      `${JSON.stringify(given)} is no TYPE=VERSION: write an actor type and a whole number, such as account=2.`,
    )
  return [type, Number(version)]
}
