// cairn messages: the checkpoints of reactors, their backlog, and their failing messages.

import { exitCode } from '../program/exit-codes.js'
import { isSet, textFlag } from '../program/flags.js'
import { backlogs } from '../delivery/backlog.js'
import { backlogView } from '../runtime/views/backlog.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { lagFlags, lagHelp, lagLimitsIn, late } from './lag-flags.js'
import { Table } from './table.js'
import { styleOfHealth } from './terminal.js'
import { defined } from '../model/defined.js'

export const messages: CliCommand = {
  usage: 'messages [--topic T] [--all] [--lag-watch S] [--lag-critical S]',
  flags: { topic: { type: 'string' }, all: { type: 'boolean' }, ...lagFlags },
  help: `  --topic T          only the reactors that read this topic, and what waits on it
  --all              also the courier (commands in commits) and the inbox (commands sent)
${lagHelp}`,
  run(flags, signal, progress) {
    positionals(flags, [])
    const topic = textFlag(flags, 'topic')
    const all = isSet(flags, 'all')
    const options = { signal, all, lagLimits: lagLimitsIn(flags), ...defined({ topic }) }
    return withNamespace(flags, async open => {
      const table = new Table<BacklogView>(flags, {
        columns: [
          { title: 'group', text: row => row.group },
          { title: 'source', text: row => row.source },
          { title: 'topics', text: row => row.topics.join(',') },
          { title: 'at', text: row => row.floor, isNumber: true },
          { title: 'end', text: row => row.end, isNumber: true },
          {
            title: 'waiting',
            text: row => `${row.counted ? '' : '>= '}${row.waiting}`,
            isNumber: true,
          },
          { title: 'seconds', text: row => row.lagSeconds, isNumber: true },
          { title: 'failing', text: row => row.failing.length, isNumber: true },
          { title: 'dead', text: row => row.dead, isNumber: true },
          {
            title: 'health',
            text: row => row.health,
            style: row => styleOfHealth(row.health),
          },
        ],
        line: lineOf,
        below: failingLines,
        empty:
          topic === undefined
            ? 'No node has run a reactor in this namespace yet.'
            : `No node has run a reactor on topic ${topic} in this namespace yet.`,
      })
      for await (const backlog of backlogs(open, options)) {
        progress.say(`${backlog.group} read`)
        await table.row(backlogView(backlog))
      }
      await table.end()
      return exitCode.ok
    })
  },
}

type BacklogView = ReturnType<typeof backlogView>

function lineOf(view: BacklogView): string {
  const { group, topics, source, floor, end, waiting, counted } = view
  const { failing, dead, health, lagSeconds } = view
  const on = topics.length > 0 ? `  on ${topics.join(',')}` : ''
  return (
    `${group}  ${source}${on}  at ${floor} of ${end}  ` +
    `${counted ? '' : 'at least '}${waiting} waiting${late(lagSeconds)}  ${failing.length} failing  ${dead} dead  ${health}`
  )
}

function failingLines({ failing }: BacklogView): string[] {
  return failing.map(
    ({ key, position, attempts, nextAt, error }) =>
      `  ${key}  position ${position}  attempt ${attempts} failed, next ${nextAt}  ${error}`,
  )
}
