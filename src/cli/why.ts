// cairn why: what led to a commit, and what it led to, over actors, messages and timers.

import { programs } from '../model/programs.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { countFlag } from '../program/flags.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { complain } from './output.js'
import { causesOf, commitAt, effectsOf } from '../runtime/links.js'
import { type LinkView, linkViews } from '../runtime/views/link.js'
import { Table } from './table.js'

const searchedDefault = 100_000

export const why: CliCommand = {
  usage: 'why POSITION [--limit N]',
  flags: { limit: { type: 'string' } },
  help: `  --limit N          look at the N commits that follow it, at most (default ${searchedDefault})

The commit is marked with ">". Above it is what led to it, below it what it led to: commits of the same or of other actors,
messages, timers that are set, and commands that no commit has handled yet.
`,
  run(flags, signal, progress) {
    const { POSITION } = positionals(flags, ['POSITION'])
    if (!/^[1-9]\d{0,14}$/.test(POSITION))
      throw new UsageError(
        `${JSON.stringify(POSITION)} is not a position: use a whole number from 1, as "${programs.cairn} read" prints them.`,
      )
    const position = Number(POSITION)
    const limit = countFlag(flags, 'limit', 1) ?? searchedDefault
    return withNamespace(flags, async open => {
      const commit = await commitAt(open.store, position, signal)
      const causes = await causesOf(open.store, commit, signal)
      const { effects, isComplete } = await effectsOf(open, commit, {
        limit,
        signal,
        onProgress: count => progress.say(`${count} commits read`),
      })
      const rows = linkViews(causes, commit, effects)
      const table = new Table<LinkView>(flags, {
        columns: [
          {
            title: 'what',
            text: shownAs,
            style: row => (row.relation === 'this' ? 'bold' : undefined),
          },
          { title: 'position', text: row => row.position ?? '', isNumber: true },
          { title: 'by', text: row => row.by },
          { title: 'principal', text: row => row.principal ?? '' },
          { title: 'at', text: row => row.at ?? '' },
        ],
        line: row =>
          [row.position ?? '-', shownAs(row), row.by, row.principal ?? '', row.at ?? '']
            .filter(text => text !== '')
            .join('  '),
      })
      for (const row of rows) await table.row(row)
      await table.end()
      if (effects.length === 0) complain('Nothing that is stored was caused by it.')
      if (!isComplete)
        complain(`Only the ${limit} commits after it were looked at: raise --limit.`)
      return exitCode.ok
    })
  },
}

function shownAs({ depth, relation, what }: LinkView): string {
  return `${'  '.repeat(depth)}${relation === 'this' ? '> ' : ''}${what}`
}
