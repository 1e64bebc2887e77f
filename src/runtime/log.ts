// The loggers that Cairn creates, and the only home of pino. A node gives each of its parts a child
// logger. A node logs nothing unless it is given a logger; no line at level info or above holds a
// payload or a secret.

import { pino } from 'pino'

import { type Logger, type WriteLog, writeTo } from '../model/log.js'

/** Writes nothing. */
export function silentLog(): Logger {
  return pino({ level: 'silent' })
}

/** JSON lines on stdout, for programs. */
export function programLog(level: string): Logger {
  return pino(
    { level, base: { pid: process.pid } },
    pino.destination({ dest: 1, sync: true }),
  )
}

/** Logs as the named part of a node. */
export function partLog(log: Logger, part: string): WriteLog {
  return writeTo(log.child({ part }))
}
