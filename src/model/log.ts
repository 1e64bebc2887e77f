// Logging as the parts of Cairn see it. The pino instances live in src/runtime/log.ts.

/** Writes one line at a level: the message alone, or after the fields that belong to it. */
export interface LogMethod {
  (details: object, message: string): void
  (message: string): void
}

/** The methods of a pino logger that Cairn uses. Any pino logger is one. */
export interface Logger {
  readonly trace: LogMethod
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
  readonly fatal: LogMethod
  /** Returns a logger that adds `bindings` to each of its lines. */
  child(bindings: Readonly<Record<string, unknown>>): Logger
  /** Whether lines of that level are written. */
  isLevelEnabled(level: string): boolean
}

/** Writes one line: its level, its message and its fields. */
export type WriteLog = (
  level: 'info' | 'warn' | 'error',
  message: string,
  details: object,
) => void

/** Returns a function that writes to `log`. */
export function writeTo(log: Logger): WriteLog {
  return (level, message, details) => log[level](details, message)
}

/** Writes nothing. */
export const noLog: WriteLog = () => {}
