// cairn status: one look at a namespace.

import { exitCode } from '../program/exit-codes.js'
import { type CliCommand, positionals, wantsJson, withNamespace } from './command.js'
import { joined } from './members.js'
import { print } from './output.js'
import { toJson } from '../codec/json.js'
import { type Snapshot, snapshotOf } from './snapshot.js'
import { lagFlags, lagHelp, lagLimitsIn, late } from './lag-flags.js'
import { Table } from './table.js'
import { styleOfHealth } from './terminal.js'

export const status: CliCommand = {
  usage: 'status [--lag-watch S] [--lag-critical S]',
  flags: lagFlags,
  help: lagHelp,
  run(flags, signal, progress) {
    positionals(flags, [])
    const limits = lagLimitsIn(flags)
    return withNamespace(flags, async open => {
      progress.say('asking the nodes')
      const snapshot = await joined(open, signal, membership => {
        progress.say('reading the backlogs')
        return snapshotOf(open, membership, signal, limits)
      })
      if (wantsJson(flags)) {
        await print(toJson(snapshot))
        return exitCode.ok
      }
      const table = new Table<StatusRow>(flags, {
        columns: [
          { title: 'what', text: row => row.what },
          { title: 'name', text: row => row.name },
          { title: 'state', text: row => row.state },
          {
            title: 'health',
            text: row => row.health,
            style: row => styleOfHealth(row.health),
          },
        ],
        line: ({ what, name, state, health }) =>
          [what, name, state, health].filter(text => text !== '').join('  '),
      })
      for (const row of rowsOf(snapshot)) await table.row(row)
      await table.end()
      return exitCode.ok
    })
  },
}

interface StatusRow {
  readonly what: string
  readonly name: string
  readonly state: string
  readonly health: string
}

/** The lines of a snapshot for people. */
export function rowsOf(snapshot: Snapshot): readonly StatusRow[] {
  const { namespace, server, position, lastCommitAt, nodes, groups } = snapshot
  const { projections, timers, damage } = snapshot
  const commits = `${position} ${position === 1 ? 'commit' : 'commits'}`
  const row = (what: string, name: string, state: string, health = '') => ({
    what,
    name,
    state,
    health,
  })
  return [
    row(
      'log',
      namespace,
      lastCommitAt === null ? commits : `${commits}, the last at ${lastCommitAt}`,
    ),
    row('server', server ?? 'embedded', server === null ? 'this machine' : 'connected'),
    ...nodes.map(({ id, version, types }) =>
      row('node', id, `${version}  ${types.join(',') || 'no actors'}`, 'good'),
    ),
    ...(nodes.length === 0 ? [row('node', '', 'none runs', 'watch')] : []),
    ...groups.map(({ group, source, waiting, counted, lagSeconds, ...more }) =>
      row(
        'group',
        `${group} ${source}`,
        `${counted ? '' : 'at least '}${waiting} waiting, ${more.failing} failing, ${more.dead} dead${late(lagSeconds)}`,
        more.health,
      ),
    ),
    ...projections.map(({ name, state, position: at, lag, lagSeconds, health }) =>
      row(
        'projection',
        name,
        `${state} at ${at}, ${lag} behind${late(lagSeconds)}`,
        health,
      ),
    ),
    row(
      'timers',
      '',
      timers.next === null
        ? 'none is set'
        : `${timers.counted ? '' : 'at least '}${timers.count} set, the next is due at ${timers.next}`,
    ),
    ...damage.map(({ place, text }) => row('damage', place, text, 'critical')),
  ]
}
