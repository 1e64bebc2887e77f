// cairn nodes: the members of the namespace's cluster.

import { pause } from '../model/wait.js'
import { exitCode } from '../program/exit-codes.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { isoTime, printRow } from './output.js'

/** The list of members is complete after this many milliseconds without a new one. */
const quiet = 400

export const nodes: CliCommand = {
  usage: 'nodes',
  summary: "list the nodes that are members of the namespace's cluster",
  flags: {},
  run(flags, signal) {
    positionals(flags, [])
    return withNamespace(flags, async open => {
      const membership = await open.join()
      try {
        let known = -1
        while (membership.members().length !== known && !signal.aborted) {
          known = membership.members().length
          await pause(quiet, signal)
        }
        for (const member of membership.members()) {
          const { id, types, weight, version, incarnation, metadata } = member
          const { behaviors = {} } = member
          const hosted = types.map(type => `${type}@${behaviors[type] ?? 1}`)
          const since = isoTime(incarnation)
          await printRow(
            flags,
            { id, types, behaviors, weight, version, since, metadata },
            `${id}  ${version}  since ${since}  ${hosted.join(',')}`,
          )
        }
        return exitCode.ok
      } finally {
        await membership.close()
      }
    })
  },
}
