// Why a connection with TLS cannot be made, and what to do about it.

import { NatsError } from 'nats'

import type { ErrorCode } from '../model/errors.js'

/** What went wrong, for programs. */
export type TlsFailureKind =
  | 'unknown-authority'
  | 'wrong-host'
  | 'expired'
  | 'client-certificate-required'
  | 'plaintext-server'
  | 'invalid-files'

export interface TlsFailure {
  readonly kind: TlsFailureKind
  /** Default: `store-unreachable`. */
  readonly code?: ErrorCode
  readonly why: string
  readonly remedy: string
}

/** A failure, and the words of the library that noticed it. */
export type ToldTlsFailure = TlsFailure & { readonly told: string }

const unknownAuthority: TlsFailure = {
  kind: 'unknown-authority',
  why: "the server's certificate is from an unknown authority",
  remedy: "Pass the authority's certificate: tls: { ca } or --tls-ca FILE",
}
const clientCertificate: TlsFailure = {
  kind: 'client-certificate-required',
  code: 'unauthorized',
  why: "the server requires a client's certificate, and has accepted none",
  remedy:
    'Pass one of an authority that it knows: tls: { cert, key }, or --tls-cert FILE and --tls-key FILE',
}

const failures: Readonly<Record<string, TlsFailure>> = {
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  CERT_UNTRUSTED: unknownAuthority,
  ERR_TLS_CERT_ALTNAME_INVALID: {
    kind: 'wrong-host',
    why: "the server's certificate is for another host",
    remedy: 'Use a name that is in the certificate, or make one for this host',
  },
  CERT_HAS_EXPIRED: {
    kind: 'expired',
    why: "the server's certificate has expired",
    remedy: 'Renew it, and check the clock of this machine',
  },
  CERT_NOT_YET_VALID: {
    kind: 'expired',
    why: "the server's certificate is not valid yet",
    remedy: 'Check the clock of this machine',
  },
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: clientCertificate,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: clientCertificate,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: clientCertificate,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: clientCertificate,
  ERR_SSL_TLS_ALERT_BAD_CERTIFICATE: clientCertificate,
  ERR_SSL_TLS_ALERT_HANDSHAKE_FAILURE: clientCertificate,
  // With a handshake first, the server's greeting is no TLS.
  ERR_SSL_WRONG_VERSION_NUMBER: {
    kind: 'plaintext-server',
    why: 'the server does not begin with TLS',
    remedy: 'Remove the handshake-first option, or set handshake_first in its tls block',
  },
  SERVER_OPT_NA: {
    kind: 'plaintext-server',
    why: 'the server offers no TLS, and nothing was sent to it',
    remedy: 'Configure its tls block, or use nats:// to connect without TLS',
  },
  TLS: {
    kind: 'invalid-files',
    code: 'invalid-option',
    why: 'the files of the certificates or the key cannot be used',
    remedy: 'Check that they exist, are PEM, and that the key belongs to the certificate',
  },
}

/**
 * `undefined` for an error that has nothing to do with TLS.
 *
 * @param isWanted whether TLS options are given, so that their files may be the cause
 */
export function tlsFailure(
  error: unknown,
  isWanted: boolean,
): ToldTlsFailure | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 4; depth++) {
    // OpenSSL has a reason in words; its message holds the place in its sources.
    const {
      code = '',
      reason,
      message,
    } = cause as Error & {
      code?: string
      reason?: string
    }
    const isOfFiles = isWanted && /^ERR_(?:OSSL|CRYPTO)|^ERR_SSL_.*(?:KEY|PEM)/.test(code)
    const name = isOfFiles ? 'TLS' : code
    const failure = Object.hasOwn(failures, name) ? failures[name] : undefined
    if (failure !== undefined) return { ...failure, told: reason ?? message }
    cause = cause instanceof NatsError ? cause.chainedError : cause.cause
  }
  return undefined
}
