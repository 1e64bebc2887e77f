// cairn why: what led to a commit, and what it led to, over actors, messages and timers.

import type { OpenNamespace } from '../backend/backend.js'
import type { StoredCommit } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import { programs } from '../model/programs.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { countFlag } from '../program/flags.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { type Link, causesOf, effectsOf } from './links.js'
import { complain } from './output.js'
import { isoTime } from '../runtime/views/iso-time.js'
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
    const limit = countFlag(flags, 'limit') ?? searchedDefault
    return withNamespace(flags, async open => {
      const commit = await commitAt(open, position, signal)
      const causes = await causesOf(open.store, commit, signal)
      const { effects, isComplete } = await effectsOf(open, commit, {
        limit,
        signal,
        onProgress: count => progress.say(`${count} commits read`),
      })
      const depth = causes.length
      const rows = [
        ...causes.map((link, i) => viewOf(link, 'cause', i)),
        viewOf({ ...commit, depth: 0 }, 'this', depth),
        ...effects.map(link => viewOf(link, 'effect', depth + (link.depth ?? 1))),
      ]
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

async function commitAt({ store }: OpenNamespace, position: number, signal: AbortSignal) {
  for await (const record of store.readAll({ after: position - 1, limit: 1, signal })) {
    if (record.position !== position) break
    if (record.kind === 'commit') return { kind: 'commit', commit: record } as const
    throw new CairnError(
      'invalid-option',
      `The record at position ${position} is no commit: ${record.reason}.`,
    )
  }
  const last = await store.lastPosition({ signal })
  throw new CairnError(
    'invalid-option',
    `There is no commit at position ${position}: the last one of ${store.namespace} is at ${last}.`,
  )
}

type LinkView = ReturnType<typeof viewOf>

function viewOf(link: Link, relation: 'cause' | 'this' | 'effect', depth: number) {
  const base = { relation, depth, kind: link.kind }
  switch (link.kind) {
    case 'outside':
      return {
        ...base,
        what: link.what,
        position: null,
        by: link.by,
        principal: null,
        at: null,
      }
    case 'entry':
      return {
        ...base,
        what: `${link.what} ${link.id}`,
        position: null,
        by: link.by,
        principal: null,
        at: link.at === undefined ? null : isoTime(link.at),
      }
    case 'commit': {
      const { actor, firstVersion, lastVersion, events, position, at } = link.commit
      const versions =
        firstVersion === lastVersion
          ? `v${firstVersion}`
          : `v${firstVersion}-${lastVersion}`
      const types = events.map(({ type }) => type).join(',')
      return {
        ...base,
        what: `${actor.type}/${actor.id} ${versions} ${types}`,
        position,
        by: link.by ?? '',
        principal: principalsOf(link.commit),
        at: isoTime(at),
      }
    }
  }
}

/** Who asked for the commit; several, if its commands came from several. */
function principalsOf({ events }: StoredCommit): string | null {
  const principals = new Set(events.flatMap(({ principal = [] }) => principal))
  return principals.size === 0 ? null : [...principals].join(', ')
}

function shownAs({ depth, relation, what }: LinkView): string {
  return `${'  '.repeat(depth)}${relation === 'this' ? '> ' : ''}${what}`
}
