// askOptionsOf(): what a request says of its command, read as this door reads it, for routes that applications write
// themselves.

import { checkPrincipal } from '../model/causes.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import type { AskOptions } from '../model/command-sender.js'
import { CairnError } from '../model/errors.js'
import type { Caller } from './authenticate.js'
import { callCauses, idempotencyKey, requestIds, scopedId } from './causes.js'
import { conditionsOf } from './conditions.js'
import type { HeaderReader } from './headers.js'

/** A request: a `Request`, or one of Node, Express or Fastify. */
export interface RequestWithHeaders {
  readonly headers:
    HeaderReader | { readonly [name: string]: string | readonly string[] | undefined }
}

/** Who asks: the id of a principal, whom the application has authenticated; `undefined` for somebody unknown. */
export interface Asker {
  readonly principal: string | undefined
}

/** Options of `ask`, as a request gives them. */
export interface RequestAskOptions extends Pick<
  AskOptions,
  'traceparent' | 'principal' | 'expectedVersion'
> {
  readonly commandId: string
  readonly correlationId: string
}

const names: OptionNames<Asker> = { principal: true }

/**
 * Options of `ask` from the headers of a request, as the door's own route has them: `Idempotency-Key` (or a new one) within the
 * keys of the principal as `commandId`, `x-correlation-id`, `traceparent`, and `If-Match: "7"` as `expectedVersion`.
 *
 * Throws an error that `problemOf` answers with 400 for a key that is not 1 to 255 visible ASCII characters, for an `If-Match` that
 * is no version and for another condition; `invalid-option` for a principal that is not 1 to 256 bytes.
 */
export function askOptionsOf(
  request: RequestWithHeaders,
  asker: Asker,
): RequestAskOptions {
  checkOptions('askOptionsOf', asker, names)
  const { principal } = asker
  if (principal !== undefined) checkPrincipal(principal)
  const caller: Caller = {
    principal: { id: principal ?? 'anonymous', roles: [] },
    isKnown: principal !== undefined,
  }
  const read = { headers: readerOf(request) }
  const { ifMatch } = conditionsOf(read, 'if-match')
  const ids = requestIds(read)
  return {
    commandId: scopedId(caller, idempotencyKey(read)),
    ...callCauses(ids, caller),
    correlationId: ids.correlationId,
    ...(ifMatch !== undefined && { expectedVersion: ifMatch }),
  }
}

function readerOf({ headers }: RequestWithHeaders): HeaderReader {
  if (typeof headers !== 'object' || headers === null)
    throw new CairnError(
      'invalid-option',
      'askOptionsOf takes a request with headers: pass that of your server.',
    )
  if (isReader(headers)) return headers
  const byName = new Map<string, string>()
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) byName.set(name.toLowerCase(), [value].flat().join(', '))
  return { get: name => byName.get(name) ?? null, has: name => byName.has(name) }
}

function isReader(headers: RequestWithHeaders['headers']): headers is HeaderReader {
  return typeof headers.get === 'function'
}
