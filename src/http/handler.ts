// The HTTP door of a node: a function from a request to a response, which any server can call.
//
// Owns the counts of requests and of open streams, and whether it drains.
// HTTP-1. What a page of a stranger sends is refused before anything is read of it: by its host, then by its origin.
// HTTP-2. A route is served only to a principal with its role, as far as the option `allow` lets it, and only with fields and
//     conditions that its row of the table names.
// HTTP-3. While it drains, it accepts no new request but those of health and metrics, and ends its streams; requests that
//     have come before are answered.
// HTTP-4. At most `streamsMax` streams are open at a time.
// HTTP-5. Pages are given to anybody who calls this server by a name of its own, also where a link of another site leads
//     there: they hold nothing of the namespace.

import { Hono } from 'hono'

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { Node } from '../runtime/node.js'
import { nodeLog } from '../runtime/log.js'
import { metricsRoute, requireAllowed, usedBy } from './allow.js'
import type { App } from './app.js'
import { callerFinder, requireRole } from './authenticate.js'
import { readJson } from './body.js'
import {
  callCauses,
  idempotencyKey,
  type RequestIds,
  requestIds,
  scopedId,
} from './causes.js'
import { type Conditions, conditionsOf } from './conditions.js'
import { readFields } from './fields.js'
import { allowedOrigin, checkHost } from './hosts.js'
import { healthRoutes } from './health-routes.js'
import { bodyFieldsOf, queryOf } from './inputs.js'
import { checkHttpOptions, type HttpOptions } from './options.js'
import { openApiDocument } from './openapi.js'
import { isUnexpected, Problem, problemResponse } from './problem.js'
import { json, problemMembers, textResponse, versionedResponse } from './responses.js'
import { type Call, EventStream, type Route, TextStream, Versioned } from './route.js'
import { methodOf, routeOf } from './route-names.js'
import { routes } from './routes/routes.js'
import { sseBody } from './sse.js'

export interface HttpHandler {
  /** Answers a request. Never rejects. */
  readonly fetch: (request: Request) => Promise<Response>
  /** Answers `/healthz`, `/readyz` and `/metrics` alone, to anybody: for a port of their own. */
  readonly metrics: (request: Request) => Promise<Response>
  /** Accepts no new requests, and ends streams; `/readyz` answers 503 from now on. */
  drain(): void
  /** Drains, and ends the measurements of the process. */
  close(): void
}

const exposedHeaders = 'x-correlation-id, idempotency-key, traceparent, etag'
const allowedHeaders =
  'authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, traceparent, x-correlation-id'

/** On every response. */
const securityHeaders = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const

/**
 * Makes the HTTP door of a node, also of one that starts only now: until then it is alive and not ready.
 *
 * ```ts
 * const http = await httpHandler(node, { tokens: 'tokens.txt' })
 * export default { fetch: http.fetch }
 * ```
 *
 * Throws `invalid-option`.
 */
export async function httpHandler(
  starting: Node | Promise<Node>,
  options: HttpOptions = {},
): Promise<HttpHandler> {
  checkNode(starting)
  const settings = checkHttpOptions(options)
  const log = (await nodeLog(options.log)).child({ part: 'http' })
  const findCaller = await callerFinder(settings, error =>
    log.error({ err: error }, 'the file of tokens is used as it was'),
  )
  let node: Node | undefined
  if (starting instanceof Promise)
    starting.then(
      started => (node = started),
      // Whoever starts the node knows it; the door stays as it is: alive and not ready.
      () => {},
    )
  else node = starting
  const draining = new AbortController()
  let streams = 0
  const health = healthRoutes({
    node: () => node,
    isDraining: () => draining.signal.aborted,
  })
  const { requests } = health

  const app: App = new Hono()
  const open: App = new Hono()
  health.addTo(open)
  open.notFound(({ req }) => problemResponse(notFound(req.path)))
  health.addTo(app, async request => {
    const caller = await findCaller(request)
    requireRole(caller, metricsRoute.role)
    requireAllowed(caller.principal, metricsRoute, settings.allow)
  })
  app.get('/v1/openapi.json', () => json(openApiDocument()))
  for (const [path, ones] of routesByPath()) {
    for (const one of ones)
      app.on(one.method.toUpperCase(), honoPath(path), ({ req, env }) =>
        serve(one, req.raw, req.param(), env.ids),
      )
    app.all(honoPath(path), ({ req }) => {
      throw otherMethod(req.method, path, ones)
    })
  }
  app.notFound(
    ({ req }) =>
      (isForPages(req.raw) ? settings.pages?.(req.raw) : undefined) ??
      problemResponse(notFound(req.path)),
  )
  app.onError(error => {
    if (isUnexpected(error)) log.error({ err: error }, 'a request failed')
    return problemResponse(error)
  })

  /** HTTP-2. */
  async function serve(
    one: Route,
    request: Request,
    path: Readonly<Record<string, string>>,
    ids: RequestIds,
  ): Promise<Response> {
    const caller = await findCaller(request)
    requireRole(caller, one.role)
    requireAllowed(caller.principal, usedBy(one, path, request), settings.allow)
    if (draining.signal.aborted)
      throw new Problem('draining', 'This node is closing: use another one.', {
        headers: { connection: 'close' },
      })
    if (node === undefined)
      throw new Problem('starting', 'This node has not started yet: try again soon.')
    const params = readFields(one.params ?? {}, path, 'path')
    const query = readFields(one.query ?? {}, queryOf(request, one.query), 'query')
    const hasBody = one.body !== undefined || one.value !== undefined
    const value = hasBody ? await readJson(request, settings.bodyBytesMax) : undefined
    const body = readFields(one.body ?? {}, bodyFieldsOf(one, value), 'body')
    const conditions = conditionsOf(request, one.condition)
    const key = idempotencyKey(request)
    const stop = new AbortController()
    const late = AbortSignal.timeout(settings.timeout)
    const isStream = one.answer.types?.includes('text/event-stream') === true
    const call: Call = {
      node,
      principal: caller.principal,
      signal: AbortSignal.any([
        request.signal,
        stop.signal,
        ...(isStream ? [draining.signal] : [late]),
      ]),
      timeout: settings.timeout,
      causes: callCauses(ids, caller),
      id: scopedId(caller, key),
      conditions,
      lastEventId: request.headers.get('last-event-id') ?? undefined,
      wantsCsv: /\btext\/csv\b/.test(request.headers.get('accept') ?? ''),
    }
    try {
      const answer = await one.handle({ params, query, body, value }, call)
      if (answer instanceof EventStream) return stream(answer, stop)
      const response = responseOf(answer, conditions)
      if (one.isIdempotent === true) response.headers.set('idempotency-key', key)
      return response
    } catch (error) {
      const known = late.aborted && !isStream ? tooLate(error) : error
      if (one.isIdempotent !== true) throw known
      if (isUnexpected(known)) log.error({ err: known }, 'a request failed')
      const response = problemResponse(known)
      response.headers.set('idempotency-key', key)
      return response
    }
  }

  function responseOf(answer: unknown, { ifNoneMatch }: Conditions): Response {
    if (answer instanceof TextStream) return textResponse(answer, log)
    if (answer instanceof Versioned) return versionedResponse(answer, ifNoneMatch)
    return json(answer)
  }

  function tooLate(error: unknown): unknown {
    if (!(error instanceof CairnError) || error.code !== 'aborted') return error
    return new CairnError(
      'deadline-exceeded',
      `The request took longer than ${settings.timeout} ms: ask for less of it, with limit.`,
    )
  }

  /** HTTP-4. */
  function stream({ events }: EventStream, stop: AbortController): Response {
    if (streams >= settings.streamsMax)
      throw new Problem(
        'too-many-streams',
        `${streams} streams are open, as many as may be: try again later, or use another node.`,
      )
    streams++
    const onEnd = requests.onStream()
    const ended = () => {
      streams--
      onEnd()
    }
    const describe = (error: unknown) => {
      if (isUnexpected(error)) log.error({ err: error }, 'a stream failed')
      return problemMembers(error)
    }
    return new Response(sseBody(events, stop, ended, describe), {
      headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    })
  }

  async function answer(
    through: App,
    request: Request,
    check: (request: Request) => string | undefined,
  ): Promise<Response> {
    const startedAt = performance.now()
    const ids = requestIds(request)
    let origin: string | undefined
    let response: Response
    try {
      origin = check(request)
      response =
        origin !== undefined && request.method === 'OPTIONS'
          ? preflight()
          : await through.fetch(request, { ids })
    } catch (error) {
      if (isUnexpected(error)) log.error({ err: error }, 'a request failed')
      response = problemResponse(error)
    }
    const { headers } = response
    for (const [name, value] of Object.entries(securityHeaders))
      if (!headers.has(name)) headers.set(name, value)
    headers.set('x-correlation-id', headerText(ids.correlationId))
    if (ids.traceparent !== undefined) headers.set('traceparent', ids.traceparent)
    if (origin !== undefined) {
      headers.set('access-control-allow-origin', origin)
      headers.set('access-control-expose-headers', exposedHeaders)
      headers.set('cross-origin-resource-policy', 'cross-origin')
    }
    headers.append('vary', 'origin')
    const seconds = (performance.now() - startedAt) / 1_000
    requests.onAnswered(methodOf(request), routeOf(request), response.status, seconds)
    return response
  }

  /** HTTP-1. */
  function checkSites(request: Request): string | undefined {
    const { pathname } = new URL(request.url)
    if (pathname === '/healthz' || pathname === '/readyz') return undefined
    checkHost(request, settings)
    // HTTP-5.
    if (isForPages(request) && settings.pages !== undefined) return undefined
    return allowedOrigin(request, settings)
  }

  function preflight(): Response {
    return new Response(null, {
      status: 204,
      headers: {
        'access-control-allow-methods': 'GET, POST, DELETE',
        'access-control-allow-headers': allowedHeaders,
        'access-control-max-age': '600',
      },
    })
  }

  const drain = () => draining.abort()
  return {
    fetch: request => answer(app, request, checkSites),
    metrics: request => answer(open, request, () => undefined),
    drain,
    close() {
      drain()
      health.stop()
    },
  }
}

/** Throws `invalid-option`: a door without a node would say for ever that it is starting. */
function checkNode(node: unknown): void {
  const given = node as Partial<Node> | undefined | null
  if (node instanceof Promise || typeof given?.spawn === 'function') return
  throw new CairnError(
    'invalid-option',
    `httpHandler has ${show(node)} as its node: pass what startNode returns, httpHandler(node, options).`,
  )
}

/** Whether a request is for what the API and the metrics leave free. */
function isForPages({ method, url }: Request): boolean {
  const { pathname } = new URL(url)
  return method === 'GET' && !pathname.startsWith('/v1/') && pathname !== '/metrics'
}

/** In the order of the table: of the paths that match a request, the first counts. */
function routesByPath(): Map<string, Route[]> {
  const byPath = new Map<string, Route[]>()
  for (const one of routes) byPath.set(one.path, [...(byPath.get(one.path) ?? []), one])
  return byPath
}

function otherMethod(method: string, path: string, ones: readonly Route[]): Problem {
  const allow = ones.map(one => one.method.toUpperCase())
  return new Problem(
    'method-not-allowed',
    `${method} has no meaning for ${path}: use ${allow.join(' or ')}.`,
    { headers: { allow: allow.join(', ') } },
  )
}

function notFound(path: string): Problem {
  const hint =
    path === '/'
      ? 'the console is the package @cairn-es/console, which is not installed beside this node; for the API, see'
      : 'see'
  return new Problem(
    'not-found',
    `There is nothing at ${path}: ${hint} /v1/openapi.json.`,
  )
}

function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1')
}

/** A header holds Latin-1 only. */
function headerText(text: string): string {
  return /^[\u0020-\u007e\u00a0-\u00ff]*$/.test(text) ? text : encodeURIComponent(text)
}
