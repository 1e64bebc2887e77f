// cairn messages: the checkpoints of reactors, their backlog, and their failing messages.

import { exitCode } from '../program/exit-codes.js'
import { isSet, textFlag } from '../program/flags.js'
import { type Backlog, backlogs } from '../delivery/backlog.js'
import { backlogView } from '../runtime/views/backlog.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { complain, printRow } from './output.js'
import { defined } from '../model/defined.js'

export const messages: CliCommand = {
  usage: 'messages [--topic T] [--all]',
  summary: 'show the checkpoints of reactors, and their waiting and failing messages',
  flags: { topic: { type: 'string' }, all: { type: 'boolean' } },
  help: `  --topic T          only the reactors that read this topic, and what waits on it
  --all              also the courier (commands in commits) and the inbox (commands sent)
`,
  run(flags, signal) {
    positionals(flags, [])
    const topic = textFlag(flags, 'topic')
    const all = isSet(flags, 'all')
    const options = { signal, all, ...defined({ topic }) }
    return withNamespace(flags, async open => {
      let isEmpty = true
      for await (const backlog of backlogs(open, options)) {
        isEmpty = false
        const view = backlogView(backlog)
        await printRow(flags, view, ...linesOf(backlog, view))
      }
      if (isEmpty) complain('No node has run a reactor in this namespace yet.')
      return exitCode.ok
    })
  },
}

function linesOf(
  { group, topics, source, floor, end, waiting, isCounted, dead }: Backlog,
  { failing, health }: ReturnType<typeof backlogView>,
): string[] {
  const on = topics.length > 0 ? `  on ${topics.join(',')}` : ''
  return [
    `${group}  ${source}${on}  at ${floor} of ${end}  ` +
      `${isCounted ? '' : 'at least '}${waiting} waiting  ${failing.length} failing  ${dead} dead  ${health}`,
    ...failing.map(
      ({ key, position, attempts, nextAt, error }) =>
        `  ${key}  position ${position}  attempt ${attempts} failed, next ${nextAt}  ${error}`,
    ),
  ]
}
