// The flags that all programs share, and the backend that they name.

import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'

import type { Backend } from '../backend/backend.js'
import { embedded } from '../backend/embedded.js'
import { jetstream } from '../backend/jetstream.js'
import type { JetStreamOptions } from '../backend/jetstream-options.js'
import { defined } from '../model/defined.js'
import { isCairnError, messageOf } from '../model/errors.js'
import { didYouMean } from '../model/nearest.js'
import { readServers } from '../nats/login.js'
import { defaultServer, type NatsOptions } from '../nats/options.js'
import { brokerOf } from './config/broker.js'
import type { Config } from './config/config.js'
import { configFilesHere } from './config/find.js'
import { UsageError } from './exit-codes.js'

export const embeddedDirDefault = '.cairn'

export type FlagSpec = Readonly<
  Record<
    string,
    {
      readonly type: 'string' | 'boolean'
      readonly multiple?: boolean
      /** The value of a flag that is given without one. Default: it needs one. */
      readonly alone?: string
      readonly short?: string
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
  config: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
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
  --embedded [DIR]   no server: keep everything in a directory (default: ${embeddedDirDefault}; or
                     CAIRN_EMBEDDED)
  --config FILE      a config file (or CAIRN_CONFIG; default: the cairn.config file of the current
                     directory) for the namespace and the servers
`

/** A parsed command line. */
export interface ParsedFlags {
  /** The flags by name; repeated ones as lists. */
  readonly values: Readonly<
    Record<string, string | boolean | (string | boolean)[] | undefined>
  >
  readonly positionals: readonly string[]
  /** The config file, or the error of reading it, which is thrown where it is needed. */
  readonly config?: Config | Error
  /** The directory of the config file. */
  readonly configDir?: string
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
      : `${JSON.stringify(flag)} is not a flag here: use ${known.map(name => `--${name}`).join(', ')}.` +
          didYouMean(
            flag,
            known.map(name => `--${name}`),
          )
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
export function countFlag(
  flags: ParsedFlags,
  name: string,
  least = 0,
): number | undefined {
  const value = textFlag(flags, name)
  if (value === undefined) return undefined
  if (/^\d{1,15}$/.test(value) && Number(value) >= least) return Number(value)
  throw new UsageError(
    `--${name} is ${JSON.stringify(value)}: use a whole number from ${least}.`,
  )
}

/**
 * Adds the config file: the one that is named, else that of the current directory. That one may be of no interest to the
 * command, so what is wrong with it is only an error where it is needed.
 */
export async function withConfig(
  flags: ParsedFlags,
  env: Env = process.env,
): Promise<ParsedFlags> {
  const named = textFlag(flags, 'config') ?? (env['CAIRN_CONFIG'] || undefined)
  if (named === undefined && (await configFilesHere()).length === 0) return flags
  const { loadConfig } = await import('./config/load.js')
  try {
    const config = await loadConfig(named)
    return { ...flags, config, configDir: dirname(named ?? '.') }
  } catch (error) {
    if (named !== undefined || !isCairnError(error)) throw error
    return { ...flags, config: error }
  }
}

type Env = Readonly<Record<string, string | undefined>>

/** Throws the error of reading the config file. */
function configOf({ config }: ParsedFlags): Config | undefined {
  if (config instanceof Error) throw config
  return config
}

export function namespaceOf(flags: ParsedFlags): string {
  const namespace =
    textFlag(flags, 'ns') ?? (process.env['CAIRN_NS'] || configured(flags))
  if (namespace === undefined)
    throw new UsageError(
      'No namespace is given: pass --ns NS, for example --ns tenant-a.',
    )
  return namespace
}

function configured(flags: ParsedFlags): string | undefined {
  const { defaults, streams = {} } = configOf(flags) ?? {}
  const names = Object.keys(streams)
  return defaults?.namespace ?? (names.length === 1 ? names[0] : undefined)
}

export function backendOf(flags: ParsedFlags, env: Env = process.env): Backend {
  return placeOf(flags, env).backend
}

/** The backend, and how it is reached: over NATS, or in a directory. */
export interface Place {
  readonly backend: Backend
  readonly nats?: JetStreamOptions
  readonly dir?: string
}

export function placeOf(flags: ParsedFlags, env: Env = process.env): Place {
  const given = textFlag(flags, 'embedded')
  const replicas = replicasOf(flags)
  if (given !== undefined) {
    const conflicting = [...natsFlags, 'replicas'].filter(
      name => flags.values[name] !== undefined,
    )
    if (conflicting.length > 0)
      throw new UsageError(
        `--embedded needs no server: leave out --${conflicting.join(' and --')}, or --embedded.`,
      )
  }
  const isServerNamed = natsFlags.some(name => flags.values[name] !== undefined)
  const dir = given ?? (isServerNamed ? undefined : embeddedDefault(flags, env))
  if (dir !== undefined) return { backend: embedded({ dir }), dir }
  const { broker, stream } = brokerDefaults(flags, env)
  const nats = {
    ...stream,
    ...broker,
    ...natsOptionsOf(flags, env, [broker.servers ?? []].flat().join(',') || undefined),
    ...defined({ replicas }),
  }
  return { backend: jetstream(nats), nats }
}

/** The directory of the environment, else of the config file, unless the environment names a server. */
function embeddedDefault(flags: ParsedFlags, env: Env): string | undefined {
  if (env['CAIRN_EMBEDDED']) return env['CAIRN_EMBEDDED']
  if (env['NATS_URL']) return undefined
  const dir = configOf(flags)?.defaults?.embedded
  return dir === undefined ? undefined : resolve(flags.configDir ?? '.', dir)
}

/** The broker of the namespace in the config file, and how its streams are created, unless a URL is given. */
function brokerDefaults(
  flags: ParsedFlags,
  env: Env,
): { readonly broker: Partial<JetStreamOptions>; readonly stream: object } {
  const nothing = { broker: {}, stream: {} }
  if (textFlag(flags, 'nats') !== undefined || env['NATS_URL']) return nothing
  const config = configOf(flags)
  if (config === undefined) return nothing
  const { streams } = config
  const namespace = textFlag(flags, 'ns') ?? (env['CAIRN_NS'] || configured(flags))
  const declared =
    namespace !== undefined && Object.hasOwn(streams, namespace)
      ? streams[namespace]!
      : undefined
  const { broker: name, ...stream } = declared ?? {}
  if (name === undefined && Object.keys(config.brokers).length > 1)
    throw new UsageError(
      `${config.file} has several brokers, and no stream ${JSON.stringify(namespace ?? '')} that names one: pass --nats URL.`,
    )
  const broker = brokerOf(config, name, { ...env, NATS_URL: defaultServer })
  return { broker, stream }
}

/**
 * The servers, the credentials and TLS. Credentials are those of flags, else those of the URL, else those of the
 * environment, whose variables are the ones of the `nats` command line.
 */
export function natsOptionsOf(
  flags: ParsedFlags,
  env: Env = process.env,
  serversDefault: string = defaultServer,
): NatsOptions {
  const text = (name: string, variable: string) => textFlag(flags, name) ?? env[variable]
  const { servers, ...login } = readServers(
    textFlag(flags, 'nats') ?? (env['NATS_URL'] || serversDefault),
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
  env: Env,
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
