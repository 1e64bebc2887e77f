// Logging as the parts of Cairn see it. The loggers live in src/runtime/log.ts.

/** Writes one line: its fields, and its message. */
export type LogMethod = (details: object, message: string) => void

/** A logger of an application: pino's, `console`, or any object with these methods. */
export interface Logger {
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
  /** Default: `error` is called. */
  readonly fatal?: LogMethod
  /** Returns a logger that adds `bindings` to each of its lines. Default: each line gets them. */
  child?(bindings: Readonly<Record<string, unknown>>): Logger
  /** Whether lines of that level are written. Default: all are passed on. */
  isLevelEnabled?(level: string): boolean
}

/** The log of a node. No call of it throws. */
export interface NodeLog extends Required<Logger> {
  child(bindings: Readonly<Record<string, unknown>>): NodeLog
}

/** Writes one line: its level, its message and its fields. */
export type WriteLog = (
  level: 'info' | 'warn' | 'error',
  message: string,
  details: object,
) => void

/** Returns a function that writes to `log`. */
export function writeTo(log: NodeLog): WriteLog {
  return (level, message, details) => log[level](details, message)
}

/** Writes nothing. */
export const noLog: WriteLog = () => {}
