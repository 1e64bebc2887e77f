// Logging. The only home of pino: one root, one child per part. Silent unless a program asks
// for it; no payload and no secret at level info or above.

import { type Logger, pino } from 'pino'

export type { Logger }

/** Says nothing. */
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
