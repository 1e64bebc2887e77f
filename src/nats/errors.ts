// What the server says → what it means to us. One table for JetStream's error codes
// (server/errors.json of nats-server), one function for the client's connection errors.

import { NatsError } from 'nats'

import { CairnError, type ErrorCode, messageOf } from '../model/errors.js'

/** JetStream error codes that decide what to do next. */
export const jsErrorCode = {
  /** "wrong last sequence: N": the compare of a compare-and-append failed. */
  wrongLastSequence: 10071,
  /** An append on the subject is still in flight on a replicated stream: not a conflict, ask again. */
  wrongLastSequenceInFlight: 10164,
  /** The message reached a stream that is not the expected one. */
  wrongStream: 10060,
  streamNotFound: 10059,
  streamNameInUse: 10058,
  subjectsOverlap: 10065,
  /** The batch has more messages than the server takes. */
  batchTooLarge: 10199,
  /** A message of the batch is missing, or it was refused when it was opened: nothing was stored. */
  batchIncomplete: 10176,
  /** As many batches are open on the stream, or the server, as it allows. */
  tooManyBatches: 10210,
  messageTooLarge: 10054,
  headersTooLarge: 10097,
  jetStreamNotEnabled: 10076,
  jetStreamNotEnabledForAccount: 10039,
} as const

/** Codes after which the same bytes may be sent again: nothing was stored. */
const passing = new Set<number>([
  10008, // JetStream system temporarily unavailable
  10009, // this server is not the leader
  10118, // stream is offline
  10194, // stream is offline, with a reason
  10158, // message id in process
])

/** Codes that mean "no room": the operator must act. */
const noRoom = new Map<number, string>([
  [10023, 'the server or account is out of resources'],
  [10047, 'the server is out of storage'],
  [10028, 'the account is out of memory storage'],
  [10077, 'the stream refused the message (disk full, or a limit reached)'],
  [10122, 'the stream or account exceeds its limits'],
])

/** An error as the JetStream API answers it. */
export interface ApiError {
  readonly code: number
  readonly err_code?: number
  readonly description?: string
}

export function isPassing(error: ApiError): boolean {
  return passing.has(error.err_code ?? 0)
}

/** A refused append or request as our error; `doing` completes "… while appending to account/a". */
export function apiError(error: ApiError, doing: string): CairnError {
  const said = `${error.description ?? 'no description'} (${error.err_code ?? error.code})`
  const full = noRoom.get(error.err_code ?? 0)
  if (full !== undefined)
    return new CairnError(
      'storage-failed',
      `The server refused ${doing}: ${full}; it said "${said}".`,
      {
        details: { ...error },
      },
    )
  if (
    error.err_code === jsErrorCode.messageTooLarge ||
    error.err_code === jsErrorCode.batchTooLarge ||
    error.err_code === jsErrorCode.headersTooLarge
  )
    return new CairnError(
      'commit-too-large',
      `The server refused ${doing}: "${said}". Split the commit.`,
      {
        details: { ...error },
      },
    )
  const noJetStream =
    error.err_code === jsErrorCode.jetStreamNotEnabled ||
    error.err_code === jsErrorCode.jetStreamNotEnabledForAccount
  if (noJetStream) return noJetStreamError(doing, said)
  return new CairnError(
    'storage-failed',
    `The server refused ${doing}: it said "${said}".`,
    {
      details: { ...error },
    },
  )
}

export function noJetStreamError(where: string, said: string): CairnError {
  return new CairnError(
    'no-jetstream',
    `JetStream is not available (${where}): ${said}. Start nats-server with -js, or with a ` +
      'jetstream block in its configuration, and enable it for the account.',
  )
}

/** A failed connection as our error, naming the servers, the credentials file and the ways out. */
export function connectionError(
  error: unknown,
  servers: readonly string[],
  creds?: string,
): CairnError {
  const where = servers.join(', ')
  const code = error instanceof NatsError ? error.code : (error as { code?: string }).code
  const kind = connectionErrorKind(code)
  const remedy: Partial<Record<ErrorCode, string>> = {
    unauthorized:
      'the server refused the credentials. Check the user, password, token or --creds file, and the account they belong to',
    'invalid-option':
      creds === undefined
        ? 'the options given are not usable'
        : `the credentials file ${creds} is not usable. Make one with "nsc generate creds"`,
    'store-unreachable':
      'no NATS server answers there. Start one (npm run nats, or nats-server -js), pass its URL ' +
      '(--nats or NATS_URL), or run without a server: --embedded DIR',
  }
  return new CairnError(
    kind,
    `Cannot connect to NATS at ${where}: ${remedy[kind]} (${messageOf(error)}).`,
    {
      cause: error,
      details: { servers },
    },
  )
}

function connectionErrorKind(code: string | undefined): ErrorCode {
  switch (code) {
    case 'AUTHORIZATION_VIOLATION':
    case 'AUTHENTICATION_EXPIRED':
    case 'AUTHENTICATION_TIMEOUT':
    case 'ACCOUNT_EXPIRED':
    case 'BAD_AUTHENTICATION':
      return 'unauthorized'
    case 'BAD_CREDS':
    case 'INVALID_OPTION':
      return 'invalid-option'
    default:
      return 'store-unreachable'
  }
}
