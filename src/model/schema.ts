// Schemas of any library that implements Standard Schema (standardschema.dev, version 1): zod,
// valibot, arktype and others. Cairn knows only the interface and depends on none of them.

import { CairnError, type ErrorCode, messageOf } from './errors.js'
import { isIgnoredPromise } from './thenable.js'

/** A schema: it checks a value of type `Input` and returns an `Output`. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (
      value: unknown,
    ) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** Whether a value is a Standard Schema. */
export function isSchema(value: unknown): value is StandardSchema {
  const isHolder =
    (typeof value === 'object' && value !== null) || typeof value === 'function'
  if (!isHolder || !('~standard' in value)) return false
  const standard = value['~standard'] as Partial<StandardSchema['~standard']> | undefined
  return standard?.version === 1 && typeof standard.validate === 'function'
}

/**
 * What a schema takes (`input`) or makes (`output`), as JSON Schema 2020-12, if it can tell (Standard JSON Schema): zod and
 * arktype can, valibot cannot.
 */
export function toldSchema(
  schema: StandardSchema,
  side: 'input' | 'output',
): Readonly<Record<string, unknown>> | undefined {
  type Tell = (options: { readonly target: string }) => unknown
  const { jsonSchema } = schema['~standard'] as {
    readonly jsonSchema?: Readonly<Record<'input' | 'output', Tell | undefined>>
  }
  try {
    const told = jsonSchema?.[side]?.({ target: 'draft-2020-12' })
    if (typeof told !== 'object' || told === null) return undefined
    const { $schema: _, ...rest } = told as Record<string, unknown>
    return rest
  } catch {
    // It has a part that JSON Schema has no word for, such as a Date.
    return undefined
  }
}

/**
 * Returns the schema's output for a value. Throws `code` with each path that is wrong, and
 * `invalid-definition` for an asynchronous schema.
 *
 * @param what what the value is meant to be: `message on trips.completed`; a function of it is called for an error only
 */
export function conform<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  what: string | (() => string),
  code: ErrorCode,
): Output {
  const result = validated(schema, value, what)
  if (isIgnoredPromise(result))
    throw new CairnError(
      'invalid-definition',
      `The schema of ${textOf(what)} returned a promise: use one without asynchronous checks.`,
    )
  if (result.issues === undefined) return result.value
  const issues = result.issues.map(({ message, path = [] }) => ({
    path: path.map(keyOf).join('.'),
    message,
  }))
  const problems = issues.map(({ path, message }) =>
    path === '' ? message : `${path}: ${message}`,
  )
  throw new CairnError(
    code,
    `The ${textOf(what)} is not valid: ${problems.join('; ')}.`,
    {
      details: { issues },
    },
  )
}

function validated<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
  what: string | (() => string),
): SchemaResult<Output> | Promise<SchemaResult<Output>> {
  try {
    return schema['~standard'].validate(value)
  } catch (cause) {
    throw new CairnError(
      'invalid-definition',
      `The schema of ${textOf(what)} threw: ${messageOf(cause)}. Correct it so that it returns issues instead.`,
      { cause },
    )
  }
}

function textOf(what: string | (() => string)): string {
  return typeof what === 'string' ? what : what()
}

function keyOf(segment: PropertyKey | { readonly key: PropertyKey }): string {
  return String(typeof segment === 'object' ? segment.key : segment)
}
