// The OpenAPI document (3.1) of the API, made from the table of routes.

import { packageVersion } from '../runtime/package-version.js'
import type { Condition } from './conditions.js'
import type { Field, Fields } from './fields.js'
import { problemType } from './problem.js'
import type { Route } from './route.js'
import { routes } from './routes/routes.js'
import { schemas } from './routes/schemas.js'
import { anyValue, refTo, type Schema } from './schema.js'

/** Statuses of problems that every route has. */
const commonProblems: Readonly<Record<number, string>> = {
  400: 'The request has a mistake, which the detail names.',
  401: 'Nobody is logged in, or the token is not known.',
  403: 'The role is missing, the server does not allow this to it, or the request has a foreign Host or Origin.',
  503: 'The node starts or closes, or its store is not reachable: try again.',
}

const bodyProblems: Readonly<Record<number, string>> = {
  413: 'The body is too large.',
  415: 'The body is not JSON.',
}

let made: object | undefined

/** The document. It is made once. */
export function openApiDocument(): object {
  return (made ??= {
    openapi: '3.1.0',
    info: {
      title: 'Cairn',
      version: packageVersion === 'bundled' ? '0.0.0' : packageVersion,
      description:
        'The HTTP API of a Cairn node. Errors are problem details (RFC 9457) with a stable `code`. Every request may ' +
        'have `x-correlation-id` and `traceparent`, which the answer and all that it causes carry on.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map(name => ({ name })),
    paths: pathsOf(routes),
    components: {
      schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  })
}

function pathsOf(all: readonly Route[]): Record<string, Record<string, object>> {
  const paths: Record<string, Record<string, object>> = {}
  for (const one of all) (paths[one.path] ??= {})[one.method] = operationOf(one)
  return paths
}

function operationOf(one: Route): object {
  const body = bodyOf(one)
  return {
    operationId: one.id,
    summary: one.summary,
    tags: [one.tag],
    'x-role': one.role,
    parameters: [
      ...parametersOf(one.params ?? {}, 'path'),
      ...parametersOf(one.query ?? {}, 'query'),
      ...headersOf(one),
    ],
    ...(body !== undefined && { requestBody: body }),
    responses: {
      200: {
        description: one.answer.description,
        ...(one.condition !== undefined && { headers: { ETag: etag } }),
        content: Object.fromEntries(
          (one.answer.types ?? ['application/json']).map(type => [
            type,
            {
              schema:
                type === 'text/csv'
                  ? { type: 'string' }
                  : (one.answer.schema ?? anyValue),
            },
          ]),
        ),
      },
      ...(one.condition === 'if-none-match' && {
        304: { description: 'It is as the client knows it.', headers: { ETag: etag } },
      }),
      ...problemsOf({
        ...commonProblems,
        ...(body !== undefined && bodyProblems),
        ...one.problems,
      }),
    },
  }
}

function parametersOf(fields: Fields, place: 'path' | 'query'): object[] {
  return Object.entries(fields).map(([name, { schema, isRequired }]) => {
    const { description, ...rest } = schema
    return {
      name,
      in: place,
      required: place === 'path' || isRequired,
      ...(description !== undefined && { description }),
      schema: rest,
    }
  })
}

const versionTag: Schema = { type: 'string', pattern: '^"(0|[1-9][0-9]{0,15})"$' }

const etag = { description: "The actor's version, in quotes.", schema: versionTag }

const conditionMeanings: Readonly<Record<Condition, string>> = {
  'if-match':
    'Decides the command only if the actor is at this version: `"7"`, and `"0"` for an actor without events.',
  'if-none-match': 'Answers 304 if the state is still at this version: `"7"`.',
}

function headersOf({ isIdempotent, condition, answer }: Route): object[] {
  const headers: object[] = []
  if (isIdempotent === true)
    headers.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description:
        'Sent again with the same key by the same principal, it takes effect once and gets the first answer.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    })
  if (condition !== undefined)
    headers.push({
      name: condition === 'if-match' ? 'If-Match' : 'If-None-Match',
      in: 'header',
      required: false,
      description: conditionMeanings[condition],
      schema: versionTag,
    })
  if (answer.types?.includes('text/event-stream') === true)
    headers.push({
      name: 'Last-Event-ID',
      in: 'header',
      required: false,
      description: 'Continues after the event with this id.',
      schema: { type: 'string' },
    })
  return headers
}

function bodyOf({ body, value }: Route): object | undefined {
  if (value !== undefined)
    return jsonContent({ description: value }, `${value} Empty for none.`, false)
  if (body === undefined) return undefined
  return jsonContent(objectSchema(body), 'A JSON object.', isAnyRequired(body))
}

function jsonContent(schema: Schema, description: string, required: boolean): object {
  return { description, required, content: { 'application/json': { schema } } }
}

function objectSchema(fields: Fields): Schema {
  const required = Object.entries(fields).flatMap(([name, field]) =>
    field.isRequired ? [name] : [],
  )
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(fields).map(([name, { schema }]) => [name, schema]),
    ),
    additionalProperties: false,
    ...(required.length > 0 && { required }),
  }
}

function isAnyRequired(fields: Readonly<Record<string, Field>>): boolean {
  return Object.values(fields).some(({ isRequired }) => isRequired)
}

function problemsOf(byStatus: Readonly<Record<number, string>>): object {
  const content = { [problemType]: { schema: refTo('Problem') } }
  return {
    ...Object.fromEntries(
      Object.entries(byStatus).map(([status, description]) => [
        status,
        { description, content },
      ]),
    ),
    default: { description: 'Another problem.', content },
  }
}
