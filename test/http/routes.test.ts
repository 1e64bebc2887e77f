// Every route, as the OpenAPI document describes it: what is wrong is refused and named, and what is right is answered in
// the form that the document promises. The checks are made from the document, so a new route has them, too.

import { Validator } from '@seriousme/openapi-schema-validator'
import t, { type Test } from 'tap'

import { type Body, type Login, openShop, type Sent } from './shop.js'

interface Schema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly format?: string
  readonly additionalProperties?: boolean | Schema
  readonly $ref?: string
}

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: Schema
}

interface Operation {
  readonly operationId: string
  readonly 'x-role': 'reader' | 'writer' | 'operator'
  readonly parameters: readonly Parameter[]
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: Schema } }
  }
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { schema: Schema }>> }>
  >
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

await using shop = await openShop({ bodyBytesMax: 8_192 })
await shop.fill()
const document = (await shop.json('/v1/openapi.json', { as: 'nobody' }))
  .body as unknown as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

/** What makes a request of each route right, beyond what its schema says. */
const params: Readonly<Record<string, string>> = {
  type: 'till',
  id: 't1',
  command: 'sell',
  position: '1',
  topic: 'stock.counted',
  name: 'erp',
  key: 't1',
}
const bodies: Readonly<Record<string, unknown>> = {
  ask: { price: 3 },
  send: { price: 3 },
  whatIf: { command: 'sell', data: { price: 3 } },
  consume: { batch: 1, maxWait: 10_000 },
  discardDeadLetters: { reactor: 'nobody' },
  retryDeadLetters: { reactor: 'nobody' },
  publish: { count: 1 },
  settle: { action: 'ack', ackToken: 'none' },
}
const projection = { name: 'sums' }
const paramsById: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  listRows: projection,
  readRow: projection,
  rebuildProjection: projection,
}

type Row = (typeof operations)[number]

function pathOf({ path, operation }: Row, query = '', changed: Body = {}): string {
  const values = { ...params, ...paramsById[operation.operationId], ...changed }
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(values[name] as string),
  )
  return `${filled}${query}`
}

function sentOf({ method, operation }: Row, more: Sent = {}): Sent {
  const body =
    operation.requestBody === undefined
      ? undefined
      : (bodies[operation.operationId] ?? {})
  const as: Login = operation['x-role']
  return {
    as,
    method: method.toUpperCase(),
    ...(body !== undefined && { body }),
    ...more,
  }
}

async function isProblem(
  t: Test,
  response: Response,
  status: number,
  code: string,
  says = '',
): Promise<void> {
  const body = (await response.json()) as Body
  const { headers } = response
  // One assertion: there are thousands of them.
  t.strictSame(
    {
      status: response.status,
      body: [body.status, body.code, body.type],
      type: headers.get('content-type'),
      csp: headers.get('content-security-policy')?.includes("default-src 'none'"),
      hasCorrelation: headers.has('x-correlation-id'),
      says: String(body.detail).includes(says) ? says : body.detail,
    },
    {
      status,
      body: [status, code, `urn:cairn:problem:${code}`],
      type: 'application/problem+json',
      csp: true,
      hasCorrelation: true,
      says,
    },
  )
}

/** What is no version as a strong entity tag. */
const wrongTags = [
  '*',
  '7',
  "'7'",
  '"7',
  'W/"7"',
  '"7", "8"',
  '"7", W/"8"',
  '""',
  '"07"',
  '"-1"',
  '"1.5"',
  '"x"',
  '"9007199254740992"',
  '',
]

/** Texts that a parameter's schema forbids. */
function wrongTexts({ type, enum: values, maximum, minimum, maxLength, format }: Schema) {
  if (type === 'integer')
    return ['x', '-1', '1.5', '', ' 1', String(maximum! + 1)].concat(
      minimum! > 0 ? [String(minimum! - 1)] : [],
    )
  if (type === 'boolean') return ['maybe', '2']
  if (values !== undefined) return ['other', '']
  if (format === 'date-time') return ['yesterday', '', '2026']
  return maxLength === undefined ? [] : ['', 'x'.repeat(maxLength + 1)]
}

/** JSON values that a field's schema forbids. */
function wrongValues(schema: Schema): unknown[] {
  if (schema.type === undefined) return []
  const others = [null, {}, [], ...wrongTexts(schema)]
  return schema.type === 'boolean' ? others : [...others, true]
}

function requests(t: Test, row: Row) {
  return {
    refuses: async (status: number, code: string, sent: Sent, query = '', says = '') => {
      const response = await shop.request(pathOf(row, query), sentOf(row, sent))
      await isProblem(t, response, status, code, says)
    },
  }
}

await t.test('a validator accepts the document', async t => {
  const { valid, errors } = await new Validator().validate(
    JSON.parse(JSON.stringify(document)) as Record<string, unknown>,
  )
  t.ok(valid, JSON.stringify(errors))
  t.ok(operations.length > 30)
  const ids = operations.map(({ operation }) => operation.operationId)
  t.equal(new Set(ids).size, ids.length, 'each operation has an id of its own')
})

for (const row of operations)
  await t.test(`${row.method} ${row.path}`, async t => {
    const { operation } = row
    const { refuses } = requests(t, row)
    await t.test('refuses strangers', async () => {
      const evil = 'https://evil.example'
      await refuses(403, 'foreign-host', { headers: { host: 'evil.example' } })
      await refuses(403, 'foreign-host', { headers: { host: 'evil.example:7070' } })
      await refuses(403, 'foreign-origin', { headers: { origin: evil } })
      await refuses(403, 'foreign-origin', { headers: { origin: 'null' } })
      await refuses(403, 'foreign-origin', {
        headers: { origin: 'http://127.0.0.1:8080' },
      })
      const headers = { 'sec-fetch-site': 'cross-site' }
      await refuses(403, 'foreign-origin', { headers })
      await refuses(401, 'not-authenticated', { as: 'nobody' })
      await refuses(401, 'not-authenticated', { as: 'stranger' })
      const basic = { authorization: 'Basic d3JpdGVyOng=' }
      await refuses(401, 'not-authenticated', { headers: basic })
    })
    await t.test('needs its role', async () => {
      const role = operation['x-role']
      if (role === 'reader') return
      const others = (['reader', 'writer', 'operator'] as const).filter(
        one => one !== role,
      )
      for (const as of others) await refuses(403, 'forbidden', { as }, '', role)
    })
    await t.test('refuses wrong parameters', async t => {
      await refuses(400, 'invalid-request', {}, '?wat=1', 'wat')
      for (const { name, in: place, schema } of operation.parameters) {
        if (place === 'query') {
          const { type, items } = schema
          for (const text of wrongTexts(type === 'array' ? items! : schema)) {
            const query = `?${name}=${encodeURIComponent(text)}`
            await refuses(400, 'invalid-request', {}, query, name)
          }
          if (type !== 'array')
            await refuses(400, 'invalid-request', {}, `?${name}=1&${name}=1`, name)
        }
        if (place !== 'path' || schema.type !== 'integer') continue
        for (const text of ['x', '0', '-1', '1.5']) {
          const path = pathOf(row, '', { [name]: text })
          const response = await shop.request(path, sentOf(row))
          await isProblem(t, response, 400, 'invalid-request', name)
        }
      }
    })
    await t.test('refuses conditions that it does not obey', async () => {
      const obeyed = operation.parameters.map(({ name }) => name.toLowerCase())
      for (const name of [
        'if-match',
        'if-none-match',
        'if-modified-since',
        'if-unmodified-since',
        'if-range',
      ]) {
        const isObeyed = obeyed.includes(name)
        for (const value of isObeyed ? wrongTags : ['"1"', '*'])
          await refuses(400, 'invalid-request', { headers: { [name]: value } }, '', name)
      }
    })
    await t.test('refuses a wrong body', async () => {
      if (operation.requestBody === undefined) return
      const { schema } = operation.requestBody.content['application/json']
      for (const body of ['{', '{"a":1', '\u0000', "{'a':1}"])
        await refuses(400, 'invalid-request', { body }, '', 'JSON')
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'text/json',
      ]) {
        const headers = { 'content-type': type }
        await refuses(415, 'unsupported-media-type', { body: '{}', headers })
      }
      await refuses(413, 'body-too-large', { body: `"${'x'.repeat(8_192)}"` })
      if (schema.properties === undefined) return
      for (const body of ['[]', '"text"', '1', 'null'])
        await refuses(400, 'invalid-request', { body }, '', 'object')
      await refuses(400, 'invalid-request', { body: { wat: 1 } }, '', 'wat')
      const right = bodies[operation.operationId] ?? {}
      for (const [name, field] of Object.entries(schema.properties))
        for (const value of wrongValues(field)) {
          const body = { ...(right as Body), [name]: value }
          await refuses(400, 'invalid-request', { body }, '', name)
        }
      for (const name of schema.required ?? []) {
        const { [name]: _, ...body } = right as Body
        await refuses(400, 'invalid-request', { body }, '', name)
      }
    })
    await t.test('refuses another method', async t => {
      const allowed = Object.keys(document.paths[row.path]!).map(one => one.toUpperCase())
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        if (allowed.includes(method)) continue
        const response = await shop.request(pathOf(row), { as: 'operator', method })
        t.equal(response.headers.get('allow'), allowed.join(', '))
        await isProblem(t, response, 405, 'method-not-allowed')
      }
    })
  })

await t.test('answers have the form that the document promises', async t => {
  // A dead letter is discarded at the end, and a message is settled with the token that consuming it gave.
  const last = ['discardDeadLetter', 'settle', 'retryDeadLetter']
  const order = (row: Row) => last.indexOf(row.operation.operationId) + 1
  let ackToken = ''
  for (const row of operations.toSorted((a, b) => order(a) - order(b))) {
    const { operationId, responses } = row.operation
    if (['settle', 'retryActor', 'resumeActor', 'skipVersion'].includes(operationId))
      continue // They have tests of their own: each needs an actor or a message in a certain state.
    const [type, { schema }] = Object.entries(responses['200']!.content)[0]!
    const isGone =
      operationId === 'retryDeadLetter' || operationId === 'discardDeadLetter'
    if (isGone) continue
    const more: Sent = operationId === 'pauseActor' ? { body: { reason: 'a test' } } : {}
    const changed = operationId === 'pauseActor' ? { id: 'paused' } : {}
    const response = await shop.request(pathOf(row, '', changed), sentOf(row, more))
    t.equal(response.status, 200, operationId)
    t.match(response.headers.get('content-type'), type, operationId)
    if (type !== 'application/json') {
      await response.body?.cancel()
      continue
    }
    const body = (await response.json()) as Body
    t.equal(findMismatch(schema, body, operationId), undefined)
    if (operationId === 'consume')
      ackToken = (body.messages as { ackToken: string }[])[0]!.ackToken
  }
  const settled = await shop.json('/v1/consumers/erp/settle', {
    body: { action: 'ack', ackToken },
  })
  t.strictSame(settled, { status: 200, body: { ok: true } })
  const again = await shop.request('/v1/consumers/erp/settle', {
    body: { action: 'ack', ackToken },
  })
  await isProblem(t, again, 409, 'invalid-token')
})

/** Where a value differs from its schema; `undefined` if it fits. */
function findMismatch(schema: Schema, value: unknown, at: string): string | undefined {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace('#/components/schemas/', '')
    return findMismatch(document.components.schemas[name]!, value, `${at}:${name}`)
  }
  const { type, properties = {}, required = [], items, enum: values } = schema
  const types = type === undefined ? [] : [type].flat()
  if (types.length > 0 && !types.some(one => isOfType(one, value)))
    return `${at} is ${JSON.stringify(value)}, and not ${types.join(' or ')}`
  if (values !== undefined && !values.includes(value as string))
    return `${at} is ${JSON.stringify(value)}`
  if (Array.isArray(value))
    return value
      .map((one, i) => findMismatch(items ?? {}, one, `${at}[${i}]`))
      .find(one => one !== undefined)
  if (!isOfType('object', value)) return undefined
  const missing = required.find(name => !Object.hasOwn(value as Body, name))
  if (missing !== undefined) return `${at} lacks ${missing}`
  return Object.entries(properties)
    .filter(([name]) => Object.hasOwn(value as Body, name))
    .map(([name, one]) => findMismatch(one, (value as Body)[name], `${at}.${name}`))
    .find(one => one !== undefined)
}

function isOfType(type: string, value: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'object')
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}
