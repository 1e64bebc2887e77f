// A dead letter as the command line prints it.

import type { DeadLetterView } from '../runtime/views/dead-letter.js'
import type { Column } from './table.js'

export const deadLetterColumns: readonly Column<DeadLetterView>[] = [
  { title: 'position', text: row => row.position, isNumber: true },
  { title: 'at', text: row => row.markedAt },
  { title: 'reactor', text: row => row.reactor },
  { title: 'subject', text: subjectOf },
  { title: 'message', text: row => row.message.id },
  { title: 'reason', text: row => row.reason },
  { title: 'tries', text: row => row.attempts, isNumber: true },
  { title: 'error', text: errorOf },
]

export function deadLetterLine(letter: DeadLetterView): string {
  const { position, reactor, message, reason, attempts, markedAt } = letter
  const from = message.actor === undefined ? '' : `  ${message.actor}`
  return (
    `${position}  ${markedAt}  ${reactor}  ${subjectOf(letter)}  ${message.id}${from}  ` +
    `${reason} after ${attempts}  ${errorOf(letter)}`
  )
}

function subjectOf({ command, message }: DeadLetterView): string {
  return command === undefined ? message.topic : `${command.type} to ${command.actor}`
}

function errorOf({ error }: DeadLetterView): string {
  return `${error.name}: ${error.message.split('\n')[0]}`
}
