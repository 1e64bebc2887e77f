// cairn messages: how far reactors have come, what waits for them, and what fails.

import { exitCode } from '../program/exit-codes.js'
import { isSet, text } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { type Backlog, backlogs } from '../delivery/backlog.js'
import { healthOf } from '../delivery/health.js'
import { type CliCommand, positionals, wantsJson, withNamespace } from './command.js'
import { complain, print, toJson } from './output.js'

export const messages: CliCommand = {
  usage: 'messages [--topic T] [--all]',
  summary: 'show how far reactors have come, what waits, and what fails',
  flags: { topic: { type: 'string' }, all: { type: 'boolean' } },
  help: `  --topic T          only the reactors that read this topic, and what waits on it
  --all              also the courier (commands in commits) and the inbox (commands sent)
`,
  run(flags, signal) {
    positionals(flags, [])
    const topic = text(flags, 'topic')
    return withNamespace(flags, async open => {
      const options = { signal, all: isSet(flags, 'all') }
      let isEmpty = true
      for await (const backlog of backlogs(open, {
        ...options,
        ...(topic !== undefined && { topic }),
      })) {
        isEmpty = false
        if (wantsJson(flags)) await print(toJson(view(backlog)))
        else for (const line of linesOf(backlog)) await print(plain(line))
      }
      if (isEmpty) complain('No reactor has begun to read here: no node has had one yet.')
      return exitCode.ok
    })
  },
}

function view(backlog: Backlog) {
  const { failing, isCounted, ...rest } = backlog
  const now = Date.now()
  return {
    ...rest,
    counted: isCounted,
    health: healthOf(backlog),
    due: failing.filter(({ nextAt }) => nextAt <= now).length,
    failing: failing.map(({ key, position, attempts, firstAt, nextAt, error }) => ({
      key,
      position,
      attempts,
      firstAt: new Date(firstAt).toISOString(),
      nextAt: new Date(nextAt).toISOString(),
      error,
    })),
  }
}

function linesOf(backlog: Backlog): string[] {
  const { group, topics, source, floor, end, waiting, isCounted, failing, dead } = backlog
  const on = topics.length > 0 ? `  on ${topics.join(',')}` : ''
  return [
    `${group}  ${source}${on}  at ${floor} of ${end}  ` +
      `${isCounted ? '' : 'at least '}${waiting} waiting  ${failing.length} failing  ${dead} dead  ${healthOf(backlog)}`,
    ...view(backlog).failing.map(
      ({ key, position, attempts, nextAt, error }) =>
        `  ${key}  position ${position}  attempt ${attempts} failed, next ${nextAt}  ${error}`,
    ),
  ]
}
