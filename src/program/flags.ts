// The flags that all programs share, and the backend that they name.

import { parseArgs } from 'node:util'

import type { Backend } from '../backend/backend.js'
import { embedded } from '../backend/embedded.js'
import { jetstream } from '../backend/jetstream.js'
import { defined } from '../model/defined.js'
import { messageOf } from '../model/errors.js'
import { readServers } from '../nats/login.js'
import { defaultServer, type NatsOptions } from '../nats/options.js'
import { UsageError } from './exit-codes.js'

export const embeddedDirDefault = '.cairn'

type FlagSpec = Readonly<
  Record<
    string,
    {
      readonly type: 'string' | 'boolean'
      readonly multiple?: boolean
      /** The value of a flag that is given without one. Default: it needs one. */
      readonly alone?: string
    }
  >
>

const natsFlagSpec = {
  nats: { type: 'string' },
  creds: { type: 'string' },
  nkey: { type: 'string' },
  user: { type: 'string' },
  'password-file': { type: 'string' },
  'tls-ca': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-first': { type: 'boolean' },
} as const satisfies FlagSpec

/** The names of the common flags of NATS. */
export const natsFlags: readonly string[] = Object.keys(natsFlagSpec)

export const commonFlags = {
  ns: { type: 'string' },
  ...natsFlagSpec,
  embedded: { type: 'string', alone: embeddedDirDefault },
  help: { type: 'boolean' },
} as const satisfies FlagSpec

export const commonFlagsHelp = `  --ns NS            namespace (or CAIRN_NS)
  --nats URL[,URL]   NATS servers (default: NATS_URL, else nats://127.0.0.1:4222); a login
                     goes in front: nats://user:password@host, nats://token@host;
                     tls://host is TLS or nothing
  --creds FILE       NATS credentials (or NATS_CREDS)
  --nkey FILE        the seed of an nkey (or NATS_NKEY)
  --user NAME        a user (or NATS_USER); the password is in NATS_PASSWORD, or in
                     --password-file FILE
  --tls-ca FILE      certificates of authorities (or NATS_CA)
  --tls-cert FILE    the client's certificate (or NATS_CERT)
  --tls-key FILE     its key (or NATS_KEY)
  --tls-first        TLS begins before the server says anything
  --embedded [DIR]   no server: keep everything in a directory (default: ${embeddedDirDefault})
`

/** A parsed command line. */
export interface ParsedFlags {
  /** The flags by name; repeated ones as lists. */
  readonly values: Readonly<
    Record<string, string | boolean | (string | boolean)[] | undefined>
  >
  readonly positionals: readonly string[]
}

/** Throws {@link UsageError} for a flag that is not in `spec`. */
export function parseFlags(args: readonly string[], spec: FlagSpec): ParsedFlags {
  try {
    const options = { ...commonFlags, ...spec }
    const { values, positionals } = parseArgs({
      args: normalizeArgs(args, options),
      options,
      allowPositionals: true,
      strict: true,
    })
    return { values, positionals }
  } catch (error) {
    throw new UsageError(usageMessage(error, Object.keys({ ...commonFlags, ...spec })))
  }
}

/**
 * The arguments in a form that parseArgs reads. It has no optional values, so `--embedded` alone and the like
 * are given their defaults; and it reads the value in `--expect -1` as a flag, so a negative number is
 * joined to the flag before it.
 */
function normalizeArgs(args: readonly string[], spec: FlagSpec): string[] {
  const end = args.indexOf('--')
  const list = end < 0 ? args : args.slice(0, end)
  const rest = end < 0 ? [] : args.slice(end)
  const result: string[] = []
  for (let i = 0; i < list.length; i++) {
    const arg = list[i]!
    const next = list[i + 1]
    const takesText = arg.startsWith('--') && spec[arg.slice(2)]?.type === 'string'
    const alone = arg.startsWith('--') ? spec[arg.slice(2)]?.alone : undefined
    if (alone !== undefined && (next === undefined || next.startsWith('-')))
      result.push(`${arg}=${alone}`)
    else if (takesText && next !== undefined && /^-\d/.test(next)) {
      result.push(`${arg}=${next}`)
      i++
    } else result.push(arg)
  }
  return [...result, ...rest]
}

/** The error of parseArgs in one line. */
function usageMessage(error: unknown, known: readonly string[]): string {
  const message = messageOf(error)
  const [, flag = ''] = /'(-[^' ]*)/.exec(message) ?? []
  const { code } = error as { code?: string }
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION')
    return /^-\d/.test(flag)
      ? `${JSON.stringify(flag)} begins with a dash: write "--" before it, at the end of the command.`
      : `${JSON.stringify(flag)} is not a flag here: use ${known.map(name => `--${name}`).join(', ')}.`
  if (message.includes('does not take')) return `${flag} takes no value: leave it out.`
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
    return `${flag} needs a value: write ${flag} VALUE, or ${flag}=VALUE if it begins with a dash.`
  return message
}

export function textFlag(flags: ParsedFlags, name: string): string | undefined {
  const value = flags.values[name]
  return typeof value === 'string' ? value : undefined
}

export function textFlags(flags: ParsedFlags, name: string): string[] {
  const value = flags.values[name]
  return Array.isArray(value)
    ? value.map(String)
    : typeof value === 'string'
      ? [value]
      : []
}

export function isSet(flags: ParsedFlags, name: string): boolean {
  return flags.values[name] === true
}

/** A whole number from 0, if given; throws {@link UsageError}. */
export function countFlag(flags: ParsedFlags, name: string): number | undefined {
  const value = textFlag(flags, name)
  if (value === undefined) return undefined
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw new UsageError(
    `--${name} is ${JSON.stringify(value)}: use a whole number from 0.`,
  )
}

export function namespaceOf(flags: ParsedFlags): string {
  const namespace = textFlag(flags, 'ns') ?? process.env.CAIRN_NS
  if (namespace === undefined)
    throw new UsageError(
      'No namespace is given: pass --ns NS, for example --ns tenant-a.',
    )
  return namespace
}

export function backendOf(flags: ParsedFlags): Backend {
  const dir = textFlag(flags, 'embedded')
  const replicas = replicasOf(flags)
  if (dir === undefined) {
    return jetstream({ ...natsOptionsOf(flags), ...defined({ replicas }) })
  }
  const conflicting = [...natsFlags, 'replicas'].filter(
    name => flags.values[name] !== undefined,
  )
  if (conflicting.length > 0)
    throw new UsageError(
      `--embedded needs no server: leave out --${conflicting.join(' and --')}, or --embedded.`,
    )
  return embedded({ dir })
}

/**
 * The servers, the credentials and TLS. Credentials are those of flags, else those of the URL, else those of the
 * environment, whose variables are the ones of the `nats` command line.
 */
export function natsOptionsOf(
  flags: ParsedFlags,
  env: Readonly<Record<string, string | undefined>> = process.env,
): NatsOptions {
  const text = (name: string, variable: string) => textFlag(flags, name) ?? env[variable]
  const { servers, ...login } = readServers(
    textFlag(flags, 'nats') ?? env['NATS_URL'] ?? defaultServer,
  )
  const files = defined({
    ca: text('tls-ca', 'NATS_CA'),
    cert: text('tls-cert', 'NATS_CERT'),
    key: text('tls-key', 'NATS_KEY'),
  })
  const handshakeFirst = isSet(flags, 'tls-first') || undefined
  const tls = { ...files, ...defined({ handshakeFirst }) }
  return {
    servers,
    ...credentialsOf(flags, login, env),
    ...(Object.keys(tls).length > 0 && { tls }),
  }
}

function credentialsOf(
  flags: ParsedFlags,
  login: object,
  env: Readonly<Record<string, string | undefined>>,
): Partial<NatsOptions> {
  const given = defined({
    creds: textFlag(flags, 'creds'),
    nkey: textFlag(flags, 'nkey'),
    user: textFlag(flags, 'user'),
    passwordFile: textFlag(flags, 'password-file'),
  })
  const { user = env['NATS_USER'] } = given
  const password = given.passwordFile === undefined ? env['NATS_PASSWORD'] : undefined
  if (given.user !== undefined) return { ...given, ...defined({ password }) }
  if (given.passwordFile !== undefined) return { ...given, ...defined({ user }) }
  if (Object.keys(given).length > 0) return given
  if (Object.keys(login).length > 0) return login
  if (env['NATS_CREDS'] !== undefined) return { creds: env['NATS_CREDS'] }
  if (env['NATS_NKEY'] !== undefined) return { nkey: env['NATS_NKEY'] }
  return user === undefined ? {} : defined({ user, password })
}

function replicasOf(flags: ParsedFlags): 1 | 3 | 5 | undefined {
  const replicas = countFlag(flags, 'replicas')
  if (replicas === undefined || replicas === 1 || replicas === 3 || replicas === 5)
    return replicas
  throw new UsageError(`--replicas is "${replicas}": use 1, 3 or 5.`)
}

/** The flags for another command line with the same backend, without passwords. */
export function backendFlags(flags: ParsedFlags): string {
  const parts = ['embedded', ...natsFlags].flatMap(name => {
    if (flags.values[name] === true) return [`--${name}`]
    const value = textFlag(flags, name)
    if (value === undefined) return []
    const shown = name === 'nats' ? readServers(value).servers.join(',') : value
    return [`--${name}`, quote(shown)]
  })
  return parts.join(' ')
}

function quote(value: string): string {
  return /^[\w./:,@-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`
}
