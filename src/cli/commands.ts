// The commands of the command line, in the order of `cairn help`. A new command is a file with a
// CliCommand, and a line here.

import { actor } from './actor.js'
import { actors } from './actors.js'
import { append } from './append.js'
import { ask } from './ask.js'
import { bench } from './bench.js'
import type { CliCommand } from './command.js'
import { dlq } from './dlq.js'
import { ensure } from './ensure.js'
import { messages } from './messages.js'
import { nodes } from './nodes.js'
import { projections } from './projections.js'
import { read } from './read.js'
import { send } from './send.js'
import { state } from './state.js'
import { tail } from './tail.js'
import { timers } from './timers.js'
import { verify } from './verify.js'

export const commands: readonly CliCommand[] = [
  ask,
  send,
  append,
  read,
  tail,
  state,
  actor,
  actors,
  messages,
  dlq,
  timers,
  projections,
  nodes,
  verify,
  ensure,
  bench,
]

export function nameOf({ usage }: CliCommand): string {
  return usage.split(' ', 1)[0]!
}
