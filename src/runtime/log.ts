// The loggers that Cairn creates, and the only home of pino. A node gives each of its parts a child
// logger. No line at level info or above holds a payload or a secret.

import { CairnError } from '../model/errors.js'
import { type Logger, type NodeLog, type WriteLog, writeTo } from '../model/log.js'
import { show } from '../model/show.js'
import { guardedLog } from './guarded-log.js'

/** The levels of the loggers that Cairn creates. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const

const ignore = () => {}

const silent: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  isLevelEnabled: () => false,
}

/** The environment variable with the level of the default logger. */
export const logLevelVariable = 'CAIRN_LOG_LEVEL'

/** JSON lines on stdout, for programs. */
export async function programLog(level: string): Promise<NodeLog> {
  return guardedLog(await jsonLines(level, 1))
}

/**
 * The log of a node. Without a logger, warnings and errors are JSON lines on stderr; `false` stands for none.
 * Throws `invalid-option` for an object that is no logger.
 */
export async function nodeLog(logger: Logger | false | undefined): Promise<NodeLog> {
  if (logger === false) return guardedLog(silent)
  if (logger === undefined) return guardedLog(await jsonLines(defaultLevel(), 2))
  const missing = (['debug', 'info', 'warn', 'error'] as const).filter(
    level => typeof methodOf(logger, level) !== 'function',
  )
  if (missing.length === 0) return guardedLog(logger)
  throw new CairnError(
    'invalid-option',
    `log of startNode is ${show(logger)} without the method${missing.length === 1 ? '' : 's'} ` +
      `${missing.join(', ')}: pass a pino logger, console, an object with the methods debug, info, warn and error ` +
      '(each takes an object of fields and a message), or false to log nothing.',
    { details: { missing } },
  )
}

/** Logs as the named part of a node. */
export function partLog(log: NodeLog, part: string): WriteLog {
  return writeTo(log.child({ part }))
}

function methodOf(logger: unknown, level: keyof Logger): unknown {
  return typeof logger === 'object' && logger !== null
    ? (logger as Logger)[level]
    : undefined
}

function defaultLevel(): string {
  const level = process.env[logLevelVariable] ?? 'warn'
  if ((logLevels as readonly string[]).includes(level)) return level
  throw new CairnError(
    'invalid-option',
    `${logLevelVariable} is ${show(level)}: use ${logLevels.join(', ')}.`,
  )
}

async function jsonLines(level: string, dest: 1 | 2): Promise<Logger> {
  if (level === 'silent') return silent
  // Loaded when needed: most tests and commands log nothing.
  const { pino } = await import('pino')
  const logger: Logger = pino(
    { level, base: { pid: process.pid } },
    pino.destination({ dest, sync: true }),
  )
  return logger
}
