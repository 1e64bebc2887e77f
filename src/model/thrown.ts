// Describes values that were thrown. User code may throw anything: a null-prototype object, a proxy (also a
// revoked one), an error whose properties are not text or throw when they are read, a promise.
//
// Nothing here throws, and every text is bounded. Code that handles thrown values reads them through this file only.

import { inspect, types } from 'node:util'

/** What is known of a thrown value, as well-formed text. */
export interface ThrownText {
  /** `Error` when the value has no name of its own. */
  readonly name: string
  readonly message: string
  /** The stack of the value, followed by those of its causes. Absent when the value has none. */
  readonly stack?: string
}

const nameCharactersMax = 256
const messageCharactersMax = 2_048
const stackCharactersMax = 8_192
/** Characters of a stack that is followed by those of its causes. */
const ownStackCharactersMax = 4_096
const causesMax = 5
const listedErrorsMax = 5

/** The name, message and stack of a thrown value. */
export function describeThrown(thrown: unknown): ThrownText {
  ignoreRejection(thrown)
  const stack = stackOf(thrown, causesMax)
  return {
    name: textIn(thrown, 'name', nameCharactersMax) || 'Error',
    message: messageIn(thrown),
    ...(stack && { stack }),
  }
}

/** The message of a thrown value, whatever it is. */
export function messageOf(thrown: unknown): string {
  if (typeof thrown === 'string') return cut(thrown, messageCharactersMax)
  ignoreRejection(thrown)
  return messageIn(thrown)
}

/** Whether a thrown value is an error of this realm; a proxy that cannot be asked is none. */
export function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error
  } catch {
    return false
  }
}

/** A property of a thrown value; `undefined` where it has none or reading it throws. */
export function propertyOf(thrown: unknown, key: PropertyKey): unknown {
  if (!isObject(thrown)) return undefined
  try {
    return (thrown as Record<PropertyKey, unknown>)[key]
  } catch {
    return undefined
  }
}

/**
 * A thrown value as an error that every logger can write: the value itself if it is an error with short text and
 * properties that can be written, otherwise a new error that describes it.
 */
export function loggableError(thrown: unknown): Error {
  return isUsual(thrown, causesMax) ? thrown : describedError(thrown)
}

/** A new error that describes a thrown value, and shares nothing with it. */
export function describedError(thrown: unknown): Error & { code?: string | number } {
  const { name, message, stack } = describeThrown(thrown)
  const error: Error & { code?: string | number } = new Error(message)
  error.name = name
  error.stack = stack ?? `${name}: ${message}`
  const code = propertyOf(thrown, 'code')
  if (typeof code === 'number' || isShortText(code, nameCharactersMax))
    error.code = code as string | number
  return error
}

/** Whether a logger can write an error as it is. */
function isUsual(thrown: unknown, causesLeft: number): thrown is Error {
  const isShort =
    isError(thrown) &&
    isShortText(propertyOf(thrown, 'name'), nameCharactersMax) &&
    isShortText(propertyOf(thrown, 'message'), messageCharactersMax) &&
    isShortText(propertyOf(thrown, 'stack'), stackCharactersMax)
  if (!isShort) return false
  const cause = propertyOf(thrown, 'cause')
  if (cause !== undefined && (causesLeft === 0 || !isUsual(cause, causesLeft - 1)))
    return false
  try {
    if (!Object.isExtensible(thrown)) return false
    return Object.keys(thrown).every(key => isWritable(thrown, key))
  } catch {
    return false
  }
}

function isWritable(error: Error, key: string): boolean {
  const { value, get } = Object.getOwnPropertyDescriptor(error, key) ?? {}
  if (get !== undefined || typeof value === 'function') return false
  // Throws for a value that a logger could not write.
  const { length } = JSON.stringify(value) ?? ''
  return length <= stackCharactersMax
}

function messageIn(thrown: unknown): string {
  const message = propertyOf(thrown, 'message')
  if (typeof message === 'string' && message !== '')
    return cut(message, messageCharactersMax)
  if (!isError(thrown)) return shown(thrown)
  if (message !== undefined && message !== '') return shown(message)
  return withoutMessage(thrown)
}

/** Errors of several connections have no message of their own, and tell the reasons in a list. */
function withoutMessage(error: Error): string {
  const errors = propertyOf(error, 'errors')
  const code = textIn(error, 'code', nameCharactersMax)
  try {
    if (Array.isArray(errors) && errors.length > 0) {
      const messages = errors
        .slice(0, listedErrorsMax)
        .map(one =>
          isError(one)
            ? (textIn(one, 'message', messageCharactersMax) ?? '')
            : shown(one),
        )
      return cut(messages.join('; '), messageCharactersMax)
    }
  } catch {
    return code ?? ''
  }
  return code ?? ''
}

function stackOf(thrown: unknown, causesLeft: number): string | undefined {
  const cause = propertyOf(thrown, 'cause')
  const own = textIn(thrown, 'stack', stackCharactersMax)
  if (!own || cause === undefined || causesLeft === 0) return own
  ignoreRejection(cause)
  const why = stackOf(cause, causesLeft - 1) ?? messageIn(cause)
  return cut(
    `${own.slice(0, ownStackCharactersMax)}\n[cause]: ${why}`,
    stackCharactersMax,
  ).toWellFormed()
}

/** A value without a message, as text. `inspect` runs no code of the value: no getter, no trap, no `toString`. */
function shown(value: unknown): string {
  if (typeof value === 'string') return cut(value, messageCharactersMax)
  if (types.isPromise(value)) return 'a promise'
  try {
    const text = isObject(value) ? inspect(value, inspectOptions) : String(value)
    // An error behind a proxy is shown with its stack.
    return cut(text.split('\n    at ', 1)[0]!, messageCharactersMax)
  } catch {
    return 'a value that cannot be shown'
  }
}

const inspectOptions = {
  depth: 2,
  breakLength: Infinity,
  compact: true,
  customInspect: false,
  getters: false,
  showProxy: false,
  maxArrayLength: 20,
  maxStringLength: 500,
}

function textIn(thrown: unknown, key: string, charactersMax: number): string | undefined {
  const value = propertyOf(thrown, key)
  return typeof value === 'string' ? cut(value, charactersMax) : undefined
}

function cut(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).toWellFormed()
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

function isShortText(value: unknown, charactersMax: number): boolean {
  return typeof value === 'string' && value.length <= charactersMax
}

/** A promise that was thrown is an outcome that nobody awaits: its rejection must not end the process. */
function ignoreRejection(thrown: unknown): void {
  if (!types.isPromise(thrown)) return
  try {
    void Promise.prototype.then.call(thrown, undefined, () => {})
  } catch {
    // Its class has another idea of `then`.
  }
}
