// cairn top: the figures of a namespace, live.

import { pause, throwIfAborted } from '../model/wait.js'
import { isCairnError } from '../model/errors.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { countFlag } from '../program/flags.js'
import { type CliCommand, positionals, wantsJson, withNamespace } from './command.js'
import { lagFlags, lagHelp, lagLimitsIn } from './lag-flags.js'
import { joined } from './members.js'
import { print } from './output.js'
import { toJson } from '../codec/json.js'
import { type Snapshot, snapshotOf } from './snapshot.js'
import { rowsOf } from './status.js'
import { styled, styleOfHealth, terminalOf } from './terminal.js'

const intervalDefault = 2_000

export const top: CliCommand = {
  usage: 'top [--interval MS] [--count N] [--lag-watch S] [--lag-critical S]',
  isLive: true,
  flags: { interval: { type: 'string' }, count: { type: 'string' }, ...lagFlags },
  help: `  --interval MS      time between two looks (default ${intervalDefault})
  --count N          end after N looks (default: when interrupted)
${lagHelp}  On a terminal it fills the screen; in a pipe each look is a line.
`,
  run(flags, signal) {
    positionals(flags, [])
    const interval = countFlag(flags, 'interval') ?? intervalDefault
    if (interval < 100)
      throw new UsageError(`--interval is ${interval}: use at least 100 milliseconds.`)
    const count = countFlag(flags, 'count') ?? Infinity
    const limits = lagLimitsIn(flags)
    const screen = terminalOf(process.stdout)
    return withNamespace(flags, open =>
      joined(open, signal, async membership => {
        let before: Snapshot | undefined
        try {
          for (let look = 1; look <= count; look++) {
            const now = await snapshotOf(open, membership, signal, limits)
            const rate = rateOf(before, now)
            before = now
            if (wantsJson(flags)) await print(toJson({ ...now, commitsPerSecond: rate }))
            else if (screen.isTerminal) await print(screenOf(now, rate))
            else await print(lineOf(now, rate))
            if (look < count) await pause(interval, signal)
            throwIfAborted(signal, 'showing the namespace')
          }
        } catch (error) {
          if (!signal.aborted || !isCairnError(error, 'aborted')) throw error
        }
        return exitCode.ok
      }),
    )

    function screenOf(now: Snapshot, rate: number | null): string {
      const { columns, rows } = screen
      const title = `${now.namespace}  ${now.at}  ${rateText(rate)}  (Ctrl-C ends)`
      const lines = rowsOf(now).map(({ what, name, state, health }) => {
        const text = `${what.padEnd(11)} ${name.padEnd(28)} ${state}`
        const room = Math.max(20, columns - health.length - 3)
        return `${text.slice(0, room).padEnd(room)}  ${styled(screen, styleOfHealth(health), health)}`
      })
      const shown = lines.slice(0, Math.max(1, rows - 3))
      // Home, and what is below is cleared: the screen does not flicker.
      return `\u001B[H\u001B[J${[styled(screen, 'bold', title), ...shown].join('\n')}`
    }
  },
}

/** Commits a second since the last look. */
function rateOf(before: Snapshot | undefined, now: Snapshot): number | null {
  if (before === undefined) return null
  const seconds = (Date.parse(now.at) - Date.parse(before.at)) / 1000
  if (seconds <= 0) return null
  return Math.round(((now.position - before.position) / seconds) * 10) / 10
}

function rateText(rate: number | null): string {
  return rate === null ? '' : `${rate} commits/s`
}

function lineOf(now: Snapshot, rate: number | null): string {
  const sum = (figure: 'waiting' | 'failing' | 'dead') =>
    now.groups.reduce((total, group) => total + group[figure], 0)
  return [
    now.at,
    now.namespace,
    `at ${now.position}`,
    rateText(rate),
    `${now.nodes.length} nodes`,
    `${sum('waiting')} waiting`,
    `${sum('failing')} failing`,
    `${sum('dead')} dead`,
    `${Math.max(0, ...now.groups.map(({ lagSeconds }) => Math.floor(lagSeconds)))} s late`,
    `${now.timers.count} timers`,
  ]
    .filter(text => text !== '')
    .join('  ')
}
