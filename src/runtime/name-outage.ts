// Names the server in errors of calls that had no answer while it was away.
//
// Most of these errors come from code that knows deadlines and no server. Their codes stay as they are, but for calls that
// could not reach the server because it refuses the login: those end with `unauthorized`.

import type { OpenNamespace } from '../backend/backend.js'
import type { CommandSender } from '../model/command-sender.js'
import { CairnError, type ErrorCode, isCairnError } from '../model/errors.js'
import { describeOutage } from '../nats/connection-state.js'

/** Errors of calls that may have waited for the server. */
const waiting: ReadonlySet<ErrorCode> = new Set([
  'answer-lost',
  'contention',
  'deadline-exceeded',
  'no-node',
  'outcome-unknown',
  'store-unreachable',
])

export interface OutageNamer {
  /** Adds the outage to the error of the work. */
  run<T>(work: () => Promise<T>): Promise<T>
  sender(sender: CommandSender): CommandSender
}

/** Of a backend without a server, it changes nothing. */
export function outageNamer({
  connection,
}: Pick<OpenNamespace, 'connection'>): OutageNamer {
  if (connection === undefined) return { run: work => work(), sender: sender => sender }
  const named = (error: unknown, start: number): unknown => {
    if (!isCairnError(error) || !waiting.has(error.code)) return error
    const stats = connection()
    const outage = describeOutage(stats, start)
    const { code, message, cause, details, stack } = error
    if (outage === undefined) return error
    const { server, state, since } = stats
    const isRefused = state === 'unauthorized'
    const isNamed = message.includes(outage)
    if (isNamed && !isRefused) return error
    // Nothing was stored; otherwise the code tells what is not known.
    const isRefusal = isRefused && (code === 'store-unreachable' || code === 'no-node')
    const remedy = isRefused ? 'check the credentials' : 'check that the server runs'
    const withOutage = new CairnError(
      isRefusal ? 'unauthorized' : code,
      isNamed ? message : `${message} Meanwhile ${outage}: ${remedy}.`,
      {
        cause,
        details: { ...details, connection: { server, state, since } },
      },
    )
    // The original stack is more useful than that of this function.
    if (stack !== undefined) withOutage.stack = stack.replace(message, withOutage.message)
    return withOutage
  }
  const run = <T>(work: () => Promise<T>): Promise<T> => {
    const start = Date.now()
    return work().catch((error: unknown) => {
      throw named(error, start)
    })
  }
  return {
    run,
    sender: sender => ({
      ask: (actor, command, data, options) =>
        run(() => sender.ask(actor, command, data, options)),
      tell: (actor, command, data, options) =>
        run(() => sender.tell(actor, command, data, options)),
    }),
  }
}
