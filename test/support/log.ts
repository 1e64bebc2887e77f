// A log of pino's shape that gives what is said to a test.

import type { Logger } from '../../src/model/log.js'

type Take = (details: Record<string, unknown>, message: string) => void

const nothing: Take = () => {}

/** Takes what is said at the levels given, and nothing of the others. */
export function takingLog(
  takers: Readonly<Partial<Record<'debug' | 'info' | 'warn' | 'error' | 'fatal', Take>>>,
): Logger {
  const log = {
    child: () => log,
    isLevelEnabled: () => true,
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: nothing,
    fatal: nothing,
    ...takers,
  }
  return log as unknown as Logger
}
