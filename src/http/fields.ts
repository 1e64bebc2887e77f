// The fields of a request: how each is read from text (path, query) or from JSON, and its schema. What the document of the
// API says of a field and what is accepted come from the same place.

import { show } from '../model/show.js'
import { Problem } from './problem.js'
import type { Schema } from './schema.js'

export interface Field<T = unknown> {
  readonly schema: Schema
  readonly isRequired: boolean
  /** Whether a query may have it several times; `read` gets a list then. */
  readonly isRepeated?: boolean
  /** Reads a given value: text of a path or query, or a JSON value. Throws a problem. */
  read(given: unknown, name: string): T
}

export type Fields = Readonly<Record<string, Field>>

/** What the fields of a request hold. */
export type ValuesOf<Of extends Fields> = {
  readonly [Name in keyof Of]: Of[Name] extends Field<infer T> ? T : never
}

const countMax = Number.MAX_SAFE_INTEGER

/** A whole number, as JSON or as decimal digits. */
export function count(
  description: string,
  { minimum = 0, maximum = countMax }: { minimum?: number; maximum?: number } = {},
): Field<number> {
  return {
    schema: { type: 'integer', description, minimum, maximum },
    isRequired: true,
    read(given, name) {
      const value =
        typeof given === 'string' && /^\d{1,16}$/.test(given) ? Number(given) : given
      const fits =
        Number.isSafeInteger(value) &&
        (value as number) >= minimum &&
        (value as number) <= maximum
      if (fits) return value as number
      throw invalid(name, given, `use a whole number from ${minimum} to ${maximum}`)
    },
  }
}

export function text(description: string, maxLength = 1_024): Field<string> {
  return {
    schema: { type: 'string', description, minLength: 1, maxLength },
    isRequired: true,
    read(given, name) {
      if (typeof given === 'string' && given !== '' && given.length <= maxLength)
        return given
      throw invalid(name, given, `use text of 1 to ${maxLength} characters`)
    },
  }
}

export function flag(description: string): Field<boolean> {
  return {
    schema: { type: 'boolean', description },
    isRequired: true,
    read(given, name) {
      if (given === true || given === 'true' || given === '') return true
      if (given === false || given === 'false') return false
      throw invalid(name, given, 'use true or false')
    },
  }
}

export function oneOf<const Values extends readonly string[]>(
  description: string,
  values: Values,
): Field<Values[number]> {
  return {
    schema: { type: 'string', description, enum: values },
    isRequired: true,
    read(given, name) {
      if (values.includes(given as string)) return given as Values[number]
      throw invalid(name, given, `use one of ${values.join(', ')}`)
    },
  }
}

/** A time, as ISO 8601; read as milliseconds since 1970. */
export function time(description: string): Field<number> {
  return {
    schema: { type: 'string', format: 'date-time', description },
    isRequired: true,
    read(given, name) {
      const at =
        typeof given === 'string' && /^\d{4}-\d\d-\d\dT/.test(given)
          ? Date.parse(given)
          : NaN
      if (Number.isFinite(at)) return at
      throw invalid(name, given, 'use a time such as 2026-01-31T12:00:00Z')
    },
  }
}

/** Any JSON value. */
export function json(description: string): Field {
  return { schema: { description }, isRequired: true, read: given => given }
}

export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    ...field,
    isRequired: false,
    read: (given, name) => (given === undefined ? undefined : field.read(given, name)),
  }
}

export function withDefault<T>(field: Field<T>, value: T): Field<T> {
  return {
    schema: { ...field.schema, default: value },
    isRequired: false,
    read: (given, name) => (given === undefined ? value : field.read(given, name)),
  }
}

/** A parameter of a query that may be given several times. */
export function repeated<T>(field: Field<T>, most = 100): Field<readonly T[]> {
  return {
    schema: { type: 'array', items: field.schema },
    isRequired: false,
    isRepeated: true,
    read(given, name) {
      const list = given === undefined ? [] : Array.isArray(given) ? given : [given]
      if (list.length > most)
        throw new Problem('invalid-request', `${name} is given more than ${most} times.`)
      return list.map(one => field.read(one, name))
    },
  }
}

/** Reads the fields of an object, and refuses those that are not known. Throws a problem. */
export function readFields<Of extends Fields>(
  fields: Of,
  given: Readonly<Record<string, unknown>>,
  where: string,
): ValuesOf<Of> {
  const unknown = Object.keys(given).find(name => !Object.hasOwn(fields, name))
  if (unknown !== undefined)
    throw new Problem(
      'invalid-request',
      `The ${where} has ${show(unknown)}, which is not known here: ${namesOf(fields)}.`,
    )
  const values = Object.entries(fields).map(([name, field]) => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    if (value === undefined && field.isRequired)
      throw new Problem('invalid-request', `The ${where} does not have ${show(name)}.`)
    return [name, field.read(value, name)]
  })
  return Object.fromEntries(values) as ValuesOf<Of>
}

function namesOf(fields: Fields): string {
  const names = Object.keys(fields)
  return names.length === 0 ? 'it has none' : `it may have ${names.join(', ')}`
}

function invalid(name: string, given: unknown, remedy: string): Problem {
  return new Problem('invalid-request', `${name} is ${show(given)}: ${remedy}.`)
}
