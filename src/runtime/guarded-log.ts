// A node's log on top of any logger. A logger that fails must not affect what is logged.
//
// GUARDED-LOG-1. No call throws, whatever the logger does with the fields, and whatever was thrown into `err`.
// GUARDED-LOG-2. A failure of the logger is not silent: the first one of each node is a warning of the process.

import type { Logger, NodeLog } from '../model/log.js'
import { isThenable } from '../model/thenable.js'
import { describedError, loggableError, messageOf } from '../model/thrown.js'

type Level = 'debug' | 'info' | 'warn' | 'error' | 'fatal'
type Fields = Readonly<Record<string, unknown>>

/** Wraps a logger that has at least the methods debug, info, warn and error. */
export function guardedLog(logger: Logger): NodeLog {
  return new GuardedLog(logger, {}, new FailureReport())
}

class GuardedLog implements NodeLog {
  readonly #logger: Logger
  /** Fields of every line, where the logger makes no children. */
  readonly #bindings: Fields
  readonly #failures: FailureReport

  constructor(logger: Logger, bindings: Fields, failures: FailureReport) {
    this.#logger = logger
    this.#bindings = bindings
    this.#failures = failures
  }

  debug(details: object, message: string): void {
    this.#write('debug', details, message)
  }

  info(details: object, message: string): void {
    this.#write('info', details, message)
  }

  warn(details: object, message: string): void {
    this.#write('warn', details, message)
  }

  error(details: object, message: string): void {
    this.#write('error', details, message)
  }

  fatal(details: object, message: string): void {
    this.#write('fatal', details, message)
  }

  child(bindings: Fields): NodeLog {
    const all = { ...this.#bindings, ...bindings }
    try {
      const child = this.#logger.child?.(bindings)
      if (hasMethods(child)) return new GuardedLog(child, this.#bindings, this.#failures)
    } catch (error) {
      this.#failures.report(error)
    }
    return new GuardedLog(this.#logger, all, this.#failures)
  }

  isLevelEnabled(level: string): boolean {
    try {
      return this.#logger.isLevelEnabled?.(level) !== false
    } catch (error) {
      this.#failures.report(error)
      return true
    }
  }

  /** GUARDED-LOG-1. */
  #write(level: Level, details: object, message: string): void {
    const fields: Record<string, unknown> = { ...this.#bindings, ...details }
    if ('err' in fields) fields.err = loggableError(fields.err)
    try {
      this.#call(level, fields, message)
    } catch {
      // An error of the user may be frozen, or have properties that throw.
      if ('err' in fields) fields.err = describedError(fields.err)
      try {
        this.#call(level, fields, message)
      } catch (error) {
        this.#failures.report(error)
      }
    }
  }

  #call(level: Level, fields: object, message: string): void {
    const logger = this.#logger
    const method = logger[level] === undefined ? 'error' : level
    const result: unknown = logger[method]!(fields, message)
    if (isThenable(result))
      result.then(undefined, (error: unknown) => this.#failures.report(error))
  }
}

/** GUARDED-LOG-2. */
class FailureReport {
  #isReported = false

  report(error: unknown): void {
    if (this.#isReported) return
    this.#isReported = true
    process.emitWarning(
      `The logger passed to startNode({ log }) fails, and lines are lost: ${messageOf(error)}`,
      'CairnLogWarning',
    )
  }
}

function hasMethods(child: Logger | undefined): child is Logger {
  return typeof child?.warn === 'function' && typeof child.error === 'function'
}
