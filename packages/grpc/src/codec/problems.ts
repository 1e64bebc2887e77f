// Errors ⇄ the contract's Problem, and their codes in gRPC.

import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { CairnError, type ErrorCode, isCairnError } from 'cairn-es'

import { type Problem, ProblemSchema } from '../gen/cairn/v1/data_pb.js'
import { dataField, fromData } from './data.js'

/** The gRPC code for each of Cairn's. Those that are not here begin with `invalid-` or `unknown-`, or are preconditions. */
const codes: Partial<Record<ErrorCode, Code>> = {
  aborted: Code.Canceled,
  'answer-lost': Code.Unavailable,
  'actor-paused': Code.Unavailable,
  'actor-restarting': Code.Unavailable,
  'command-id-reused': Code.AlreadyExists,
  'commit-too-large': Code.InvalidArgument,
  contention: Code.Aborted,
  'deadline-exceeded': Code.DeadlineExceeded,
  'decide-failed': Code.Internal,
  forbidden: Code.PermissionDenied,
  'mailbox-full': Code.ResourceExhausted,
  'middleware-failed': Code.Unavailable,
  'no-node': Code.Unavailable,
  'node-closed': Code.Unavailable,
  'not-owner': Code.Unavailable,
  'outcome-unknown': Code.Unknown,
  'queue-full': Code.ResourceExhausted,
  'rate-limited': Code.ResourceExhausted,
  'remote-failure': Code.Internal,
  'storage-failed': Code.DataLoss,
  'store-closed': Code.Unavailable,
  'store-unreachable': Code.Unavailable,
  unauthorized: Code.PermissionDenied,
  'unknown-command': Code.Unimplemented,
  'version-behind': Code.Unavailable,
}

function codeOf(code: ErrorCode): Code {
  const known = codes[code]
  if (known !== undefined) return known
  if (code.startsWith('invalid-')) return Code.InvalidArgument
  return code.startsWith('unknown-') ? Code.NotFound : Code.FailedPrecondition
}

/** What a caller of the door gets for an error. */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error
  if (!isCairnError(error)) return ConnectError.from(error)
  const connectError = new ConnectError(
    error.message,
    codeOf(error.code),
    undefined,
    [{ desc: ProblemSchema, value: toProblem(error) }],
    error,
  )
  return connectError
}

/** The error of a call, as Cairn's own; others are returned unchanged. */
export function fromConnectError(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error
  const [problem] = error.findDetails(ProblemSchema)
  if (problem !== undefined) return fromProblem(problem, error)
  const code = codeWithoutProblem(error.code)
  return code === undefined
    ? error
    : new CairnError(code, `The door did not answer: ${error.rawMessage}.`, {
        cause: error,
      })
}

/** Errors of the way to the door, which has not said anything. */
function codeWithoutProblem(code: Code): ErrorCode | undefined {
  switch (code) {
    case Code.Canceled:
      return 'aborted'
    case Code.DeadlineExceeded:
      return 'deadline-exceeded'
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return 'unauthorized'
    case Code.Unavailable:
      return 'store-unreachable'
    default:
      return undefined
  }
}

export function toProblem({ code, message, retryable, details }: CairnError): Problem {
  return create(ProblemSchema, {
    code,
    message,
    retryable,
    ...dataField('details', plainOf(details)),
  })
}

function fromProblem({ code, message, details }: Problem, cause: unknown): CairnError {
  const known = fromData(details)
  return new CairnError(code as ErrorCode, message, {
    cause,
    ...(typeof known === 'object' && known !== null && { details: { ...known } }),
  })
}

/** Details as JSON: they are for programs, and a part that JSON does not have must not replace the error. */
function plainOf(details: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(details)) as unknown
  } catch {
    return undefined
  }
}
