// cairn nodes: which nodes take part in the namespace.

import { pause } from '../model/wait.js'
import { exitCode } from '../program/exit-codes.js'
import { type CliCommand, positionals, wantsJson, withNamespace } from './command.js'
import { print, toJson } from './output.js'

/** Milliseconds of quiet after which everybody is taken to have answered. */
const quiet = 400

export const nodes: CliCommand = {
  usage: 'nodes',
  summary: 'list the nodes that take part',
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
        for (const {
          id,
          types,
          weight,
          version,
          incarnation,
          metadata,
        } of membership.members()) {
          const since = new Date(incarnation).toISOString()
          const view = { id, types, weight, version, since, metadata }
          await print(
            wantsJson(flags)
              ? toJson(view)
              : `${id}  ${version}  since ${since}  ${types.join(',')}`,
          )
        }
        return exitCode.ok
      } finally {
        await membership.close()
      }
    })
  },
}
