// cairn nodes: the members of the namespace's cluster.

import { exitCode } from '../program/exit-codes.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { readMembers } from './members.js'
import { printRow } from './output.js'
import { isoTime } from '../runtime/views/iso-time.js'

export const nodes: CliCommand = {
  usage: 'nodes',
  summary: "list the nodes that are members of the namespace's cluster",
  flags: {},
  run(flags, signal) {
    positionals(flags, [])
    return withNamespace(flags, async open => {
      for (const member of await readMembers(open, signal)) {
        const { id, types, weight, version, incarnation, metadata } = member
        const { behaviors = {} } = member
        const hosted = types.map(type => `${type}@${behaviors[type] ?? 1}`)
        const since = isoTime(incarnation)
        await printRow(
          flags,
          { id, types, behaviors, weight, version, since, metadata },
          `${id}  ${version}  since ${since}  ${hosted.join(',') || 'no actors'}`,
        )
      }
      return exitCode.ok
    })
  },
}
