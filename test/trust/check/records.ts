// Every record of the log is a readable commit, and positions are dense.

import type { LogLine } from '../history.js'
import type { Indexed } from './history-index.js'
import type { Violation } from './violation.js'

export function* malformed({ history }: Indexed): Iterable<Violation> {
  for (const line of history.log)
    if (line.kind === 'malformed')
      yield {
        check: 'malformed',
        text: `The record at position ${line.position} is not a commit: ${line.reason}.`,
        evidence: [line],
      }
}

export function* positions({ history }: Indexed): Iterable<Violation> {
  const isMessage = ({ kind }: LogLine) => kind === 'message'
  const records = history.log.filter(line => !isMessage(line))
  yield* ascending(records, 'log', true)
  yield* ascending(history.log.filter(isMessage), 'topics', false)
}

function* ascending(
  lines: readonly LogLine[],
  where: string,
  areDense: boolean,
): Iterable<Violation> {
  let before: LogLine | undefined
  for (const line of lines) {
    const last = before?.position ?? 0
    const { position } = line
    const isRight = areDense ? position === last + 1 : position > last
    if (!isRight)
      yield {
        check: 'positions',
        text: `Position ${position} of the ${where} follows position ${last}.`,
        evidence: before === undefined ? [line] : [before, line],
      }
    before = line
  }
}
