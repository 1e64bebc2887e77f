// cairn nodes: the members of the namespace's cluster.

import type { Member } from '../cluster/membership.js'
import { exitCode } from '../program/exit-codes.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { readMembers } from './members.js'
import { isoTime } from '../runtime/views/iso-time.js'
import { Table } from './table.js'

export const nodes: CliCommand = {
  usage: 'nodes',
  flags: {},
  run(flags, signal) {
    positionals(flags, [])
    return withNamespace(flags, async open => {
      const table = new Table<ReturnType<typeof viewOf>>(flags, {
        columns: [
          { title: 'node', text: row => row.id },
          { title: 'version', text: row => row.version },
          { title: 'since', text: row => row.since },
          { title: 'actors', text: hostsOf },
        ],
        line: row => `${row.id}  ${row.version}  since ${row.since}  ${hostsOf(row)}`,
        empty: 'No node of this namespace runs.',
      })
      for (const member of await readMembers(open, signal))
        await table.row(viewOf(member))
      await table.end()
      return exitCode.ok
    })
  },
}

function viewOf(member: Member) {
  const { id, types, weight, version, incarnation, metadata, behaviors = {} } = member
  return { id, types, behaviors, weight, version, since: isoTime(incarnation), metadata }
}

function hostsOf({ types, behaviors }: ReturnType<typeof viewOf>): string {
  return types.map(type => `${type}@${behaviors[type] ?? 1}`).join(',') || 'no actors'
}
