// The fields of one entry of a config file, each checked against its type.

import { inspect } from 'node:util'

import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { withoutLogins } from '../../nats/login.js'

/** Names that an error lists, at most. */
const listedMax = 20

export function invalidField(
  file: string,
  path: string,
  value: unknown,
  remedy: string,
): CairnError {
  const what = value === undefined ? 'is missing' : `is ${shown(value)}`
  return fieldError(file, path, what, remedy)
}

function fieldError(
  file: string,
  path: string,
  what: string,
  remedy: string,
): CairnError {
  return new CairnError('invalid-option', `${file}: ${path} ${what}: ${remedy}.`, {
    details: { file, field: path },
  })
}

export class Fields {
  readonly file: string
  readonly #path: string
  readonly #values: Readonly<Record<string, unknown>>
  readonly #secret: readonly string[]

  /**
   * Throws `invalid-option` for a value that is not an object, or has an unknown field.
   *
   * @param secret fields that may hold a password, and are in no error
   */
  constructor(
    file: string,
    path: string,
    value: unknown,
    known: readonly string[],
    secret: readonly string[] = [],
  ) {
    this.file = file
    this.#path = path
    this.#secret = secret
    // An empty entry is null in YAML.
    this.#values = objectOf(file, path, value ?? {})
    const unknown = Object.keys(this.#values).find(name => !known.includes(name))
    if (unknown !== undefined)
      throw new CairnError(
        'invalid-option',
        `${file}: ${this.#at(unknown)} is not a known field: use ${known.join(', ')}.`,
        { details: { file, field: this.#at(unknown) } },
      )
  }

  #at(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`
  }

  #refuse(name: string, remedy: string): CairnError {
    const value = this.#values[name]
    const mayTell =
      (typeof value === 'string' && value !== '') || typeof value === 'object'
    const isHidden = mayTell && this.#secret.includes(name)
    return isHidden
      ? fieldError(this.file, this.#at(name), 'is of the wrong kind', remedy)
      : invalidField(this.file, this.#at(name), value, remedy)
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined
  }

  record(name: string): Readonly<Record<string, unknown>> {
    return objectOf(this.file, this.#at(name), this.#values[name] ?? {})
  }

  text(name: string): string | undefined {
    const value = this.#values[name]
    if (value === undefined || (typeof value === 'string' && value !== '')) return value
    throw this.#refuse(name, 'use text')
  }

  textOrTexts(name: string): string | readonly string[] | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    const isText = (one: unknown) => typeof one === 'string' && one !== ''
    if (isText(value) || (Array.isArray(value) && value.every(isText)))
      return value as string | string[]
    throw this.#refuse(name, 'use text, or a list of texts')
  }

  whole(name: string, min: number, max: number): number | undefined {
    const value = this.#values[name]
    if (value === undefined) return undefined
    if (
      Number.isSafeInteger(value) &&
      (value as number) >= min &&
      (value as number) <= max
    )
      return value as number
    throw this.#refuse(name, `use a whole number from ${min} to ${max}`)
  }

  oneOf<const T>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.#values[name]
    if (value === undefined || allowed.includes(value as T)) return value as T | undefined
    throw this.#refuse(name, `use ${allowed.join(', ')}`)
  }

  /** The name of another entry. Default: the only one. */
  reference(name: string, declared: readonly string[], section: string): string {
    const value = this.text(name)
    const [only, ...others] = declared
    if (value === undefined && only !== undefined && others.length === 0) return only
    if (value !== undefined && declared.includes(value)) return value
    const known = declared.slice(0, listedMax).join(' or ')
    const more = declared.length > listedMax ? ' or …' : ''
    const list =
      declared.length === 0 ? `declare one in ${section}` : `use ${known}${more}`
    throw this.#refuse(
      name,
      declared.length > 1 && value === undefined
        ? `there are several in ${section}, ${list}`
        : list,
    )
  }
}

function objectOf(
  file: string,
  path: string,
  value: unknown,
): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>
  throw invalidField(
    file,
    path === '' ? 'the file' : path,
    value,
    'use an object of fields by name',
  )
}

function shown(value: unknown): string {
  if (typeof value === 'string') return withoutLogins(show(value))
  return withoutLogins(
    inspect(value, { depth: 1, maxArrayLength: 5, breakLength: Infinity }),
  )
}
