// cairn doctor: what is wrong with a namespace and its server, what it means, and what to do about it.

import { loadActors, actorFlags } from '../program/actors-file.js'
import { exitCode } from '../program/exit-codes.js'
import { countFlag, namespaceOf, placeOf } from '../program/flags.js'
import { type CliCommand, newCliId, positionals } from './command.js'
import { examine } from './doctor/examine.js'
import type { Finding } from './doctor/finding.js'
import { complain } from './output.js'
import { Table } from './table.js'
import { styleOfHealth } from './terminal.js'

const limitDefault = 100_000

export const doctor: CliCommand = {
  usage: 'doctor [--actors FILE]… [--limit N]',
  flags: { limit: { type: 'string' }, ...actorFlags },
  help: `  --actors FILE      also fold the histories of these definitions; may be repeated
  --demo             also fold those of the demo's definitions
  --limit N          read the last N commits of the log, at most (default ${limitDefault})

Nothing is changed. Exit codes: 0 nothing found, ${exitCode.watch} only what is to be watched, 1 something critical.

`,
  async run(flags, signal, progress) {
    positionals(flags, [])
    const definitions = await loadActors(flags)
    const { backend, nats, dir } = placeOf(flags)
    const table = new Table<Finding>(flags, {
      columns: [
        {
          title: 'severity',
          text: row => row.severity,
          style: row => styleOfHealth(row.severity),
        },
        { title: 'check', text: row => row.check },
        { title: 'place', text: row => row.place },
        { title: 'problem', text: row => row.problem },
      ],
      line: ({ severity, check, place, problem }) =>
        `${severity}  ${check}  ${place}  ${problem}`,
      below: ({ means, remedy }) => [`  ${means} ${remedy}`],
    })
    let isCritical = false
    const examined = {
      backend,
      namespace: namespaceOf(flags),
      nodeId: newCliId(),
      ...(nats && { nats }),
      ...(dir !== undefined && { dir }),
      definitions,
      limit: countFlag(flags, 'limit', 1) ?? limitDefault,
      signal,
      onProgress: (text: string) => progress.say(text),
    }
    for await (const finding of examine(examined)) {
      isCritical ||= finding.severity === 'critical'
      await table.row(finding)
    }
    const count = await table.end()
    if (count === 0) complain('Nothing is wrong.', 'green')
    if (isCritical) return exitCode.failed
    return count === 0 ? exitCode.ok : exitCode.watch
  },
}
