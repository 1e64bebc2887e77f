// Errors of the server and of the client library as Cairn errors. The codes are those of
// server/errors.json of nats-server.

import { NatsError } from 'nats'

import { CairnError, type ErrorCode, messageOf } from '../model/errors.js'
import { programs } from '../model/programs.js'
import type { NatsOptions } from './options.js'
import { tlsFailure } from './tls-failures.js'

/** JetStream error codes that Cairn distinguishes. */
export const jsErrorCode = {
  /** "wrong last sequence: N": the expectation of a compare-and-append does not hold. */
  wrongLastSequence: 10071,
  /** Another append on the subject is in flight on a replicated stream: not a conflict, retry. */
  wrongLastSequenceInFlight: 10164,
  /** The message reached another stream than the expected one. */
  wrongStream: 10060,
  messageNotFound: 10037,
  streamNotFound: 10059,
  streamNameInUse: 10058,
  subjectsOverlap: 10065,
  /** The batch has more messages than the server accepts. */
  batchTooLarge: 10199,
  /** A message of the batch is missing, or the server refused to open the batch: nothing was stored. */
  batchIncomplete: 10176,
  /** The limit of open batches of the stream or the server is reached. */
  tooManyBatches: 10210,
  deleteFailed: 10057,
  storeFailed: 10077,
  messageTooLarge: 10054,
  headersTooLarge: 10097,
  jetStreamNotEnabled: 10076,
  jetStreamNotEnabledForAccount: 10039,
} as const

/** Codes of temporary failures: nothing was stored, and the same bytes may be sent again. */
const passing = new Set<number>([
  10008, // JetStream system temporarily unavailable
  10009, // this server is not the leader
  10118, // stream is offline
  10194, // stream is offline, with a reason
  10158, // message id in process
])

/** Codes of exhausted resources: the operator must act. */
const exhaustedResources = new Map<number, string>([
  [
    10002,
    'the account may store no more: raise its max_file, or remove what is not needed',
  ],
  [
    10026,
    'the stream asks for more consumers than the account may have: raise its max_consumers',
  ],
  [10027, 'the account may have no more streams: raise its max_streams'],
  [10023, 'the server or account is out of resources: raise its JetStream limits'],
  [10047, 'the server is out of storage: make room on its disk, or raise max_file'],
  [10028, 'the account is out of memory storage: raise its limits'],
  [10077, 'a limit of the stream is reached: raise it with "nats stream edit"'],
  [10122, 'the stream or account exceeds its limits: raise them'],
])

/** An error in an answer of the JetStream API. */
export interface ApiError {
  readonly code: number
  readonly err_code?: number
  readonly description?: string
}

export function isPassing(error: ApiError): boolean {
  return passing.has(error.err_code ?? 0)
}

/** What stopped a write of a stream, for errors. */
export function writeFailure(stream: string, reason: string): string {
  return (
    `the NATS server fails to write stream ${stream}: "${reason}". Make room on its disk, or repair it, and restart ` +
    'the server: it stores nothing in this stream before'
  )
}

/** The error for a write that was not sent, because the server fails to write the stream. */
export function writeFailedError(
  doing: string,
  stream: string,
  reason: string,
): CairnError {
  return new CairnError(
    'storage-failed',
    `Stopped ${doing}: ${writeFailure(stream, reason)}. Nothing was stored.`,
    { details: { stream, reason } },
  )
}

/** The error for a refused append or request; `doing` is such as `reading from stream CAIRN_a`. */
export function apiError(error: ApiError, doing: string): CairnError {
  const reason = `${error.description ?? 'no description'} (${error.err_code ?? error.code})`
  const exhausted = exhaustedResources.get(error.err_code ?? 0)
  if (exhausted !== undefined)
    return new CairnError(
      'storage-failed',
      `The server refused ${doing}: ${exhausted}: "${reason}".`,
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
      `The server refused ${doing}: "${reason}". Split the commit.`,
      {
        details: { ...error },
      },
    )
  const noJetStream =
    error.err_code === jsErrorCode.jetStreamNotEnabled ||
    error.err_code === jsErrorCode.jetStreamNotEnabledForAccount
  if (noJetStream) return noJetStreamError(doing, reason)
  return new CairnError('storage-failed', `The server refused ${doing}: "${reason}".`, {
    details: { ...error },
  })
}

/** The user's permissions do not cover `subject`. */
export function permissionError(subject: string, cause?: unknown): CairnError {
  const reason = cause === undefined ? '' : ` (${messageOf(cause)})`
  return new CairnError(
    'unauthorized',
    `The NATS server does not allow this user to use subject ${subject}${reason}: check the user's permissions.`,
    { details: { subject }, ...(cause !== undefined && { cause }) },
  )
}

export function noJetStreamError(where: string, reason: string): CairnError {
  return new CairnError(
    'no-jetstream',
    `JetStream is not available (${where}): ${reason}. Start nats-server with -js, or with a ` +
      'jetstream block in its configuration, and enable it for the account.',
  )
}

/** The error for a failed connection. It names the servers, the credentials file and the remedies. */
export function connectionError(
  error: unknown,
  servers: readonly string[],
  { creds, tls }: Pick<NatsOptions, 'creds' | 'tls'> = {},
): CairnError {
  const where = servers.join(', ')
  const failure = tlsFailure(error, tls !== undefined)
  if (failure !== undefined) {
    const { kind, why, remedy, told } = failure
    return new CairnError(
      failure.code ?? 'store-unreachable',
      `Cannot connect to NATS at ${where} with TLS: ${why}. ${remedy} (${told}).`,
      { cause: error, details: { servers, tls: kind } },
    )
  }
  const code = codeOf(error)
  const kind = connectionErrorKind(code)
  const remedy: Partial<Record<ErrorCode, string>> = {
    unauthorized:
      'the server refused the credentials. Check the user, password, token or --creds file, whether they have expired, and the account they belong to',
    'invalid-option':
      creds === undefined
        ? 'the options are invalid'
        : `the credentials file ${creds} is invalid. Make one with "nsc generate creds"`,
    'store-unreachable':
      `no NATS server answers at that address. Start one (${programs.nats}), pass its URL ` +
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

/** Whether the client library has waited in vain. */
export function isTimeout(error: unknown): boolean {
  return codeOf(error) === 'TIMEOUT'
}

function codeOf(error: unknown): string | undefined {
  return error instanceof NatsError ? error.code : (error as { code?: string }).code
}

/** What the server said of a login, by the client library's code; `undefined` for another error. */
export function refusalOf(code: string): string | undefined {
  switch (code) {
    case 'AUTHORIZATION_VIOLATION':
      return 'it knows no such user, or the user was revoked'
    case 'AUTHENTICATION_EXPIRED':
      return 'the credentials have expired'
    case 'ACCOUNT_EXPIRED':
      return 'the account has expired'
    default:
      return undefined
  }
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
