// Checks that a provider is one of OpenTelemetry's.

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'

/** Throws `invalid-option` for a provider without the method; it may be missing altogether. */
export function checkProvider(what: string, provider: unknown, method: string): void {
  if (provider === undefined) return
  const given = provider as Readonly<Record<string, unknown>> | null
  if (typeof given?.[method] === 'function') return
  throw new CairnError(
    'invalid-option',
    `${what} is ${show(provider)} without ${method}(): pass a provider of the OpenTelemetry SDK, or leave it out.`,
  )
}
