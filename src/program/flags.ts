// The flags that all programs share, and the backend they mean.

import { parseArgs } from 'node:util'

import type { Backend } from '../backend/backend.js'
import { embedded } from '../backend/embedded.js'
import { jetstream } from '../backend/jetstream.js'
import { messageOf } from '../model/errors.js'
import { UsageError } from './exit-codes.js'

export const embeddedDirDefault = '.cairn'

type FlagSpec = Readonly<
  Record<string, { readonly type: 'string' | 'boolean'; readonly multiple?: boolean }>
>

export const commonFlags = {
  ns: { type: 'string' },
  nats: { type: 'string' },
  creds: { type: 'string' },
  embedded: { type: 'string' },
  help: { type: 'boolean' },
} as const satisfies FlagSpec

export const commonFlagsHelp = `  --ns NS            namespace (or CAIRN_NS)
  --nats URL[,URL]   NATS servers (default: NATS_URL, else nats://127.0.0.1:4222)
  --creds FILE       NATS credentials
  --embedded [DIR]   no server: keep everything in a directory (default: ${embeddedDirDefault})
`

/** Flags by name; repeated ones as lists. */
export interface Flags {
  readonly values: Readonly<
    Record<string, string | boolean | (string | boolean)[] | undefined>
  >
  readonly positionals: readonly string[]
}

/** Throws {@link UsageError} for a flag that is not in `spec`. */
export function parseFlags(args: readonly string[], spec: FlagSpec): Flags {
  try {
    const { values, positionals } = parseArgs({
      args: withEmbeddedDir(args),
      options: { ...commonFlags, ...spec },
      allowPositionals: true,
      strict: true,
    })
    return { values, positionals }
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}

/** `--embedded` may stand alone; parseArgs knows no optional value, so it is given one. */
function withEmbeddedDir(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => {
    if (arg !== '--embedded') return [arg]
    const next = args[i + 1]
    return next === undefined || next.startsWith('-')
      ? [`--embedded=${embeddedDirDefault}`]
      : [arg]
  })
}

export function text(flags: Flags, name: string): string | undefined {
  const value = flags.values[name]
  return typeof value === 'string' ? value : undefined
}

export function texts(flags: Flags, name: string): string[] {
  const value = flags.values[name]
  return Array.isArray(value)
    ? value.map(String)
    : typeof value === 'string'
      ? [value]
      : []
}

export function isSet(flags: Flags, name: string): boolean {
  return flags.values[name] === true
}

/** A whole number from 0, if given; throws {@link UsageError}. */
export function count(flags: Flags, name: string): number | undefined {
  const value = text(flags, name)
  if (value === undefined) return undefined
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw new UsageError(
    `--${name} is ${JSON.stringify(value)}: use a whole number from 0.`,
  )
}

export function namespaceOf(flags: Flags): string {
  const namespace = text(flags, 'ns') ?? process.env.CAIRN_NS
  if (namespace === undefined)
    throw new UsageError(
      'No namespace is given: pass --ns NS, for example --ns tenant-a.',
    )
  return namespace
}

export function backendOf(flags: Flags): Backend {
  const dir = text(flags, 'embedded')
  const servers = text(flags, 'nats')
  const creds = text(flags, 'creds')
  if (dir === undefined)
    return jetstream({
      ...(servers !== undefined && { servers }),
      ...(creds !== undefined && { creds }),
    })
  if (servers !== undefined || creds !== undefined)
    throw new UsageError(
      '--embedded needs no server: leave out --nats and --creds, or --embedded.',
    )
  return embedded({ dir })
}

/** The flags again, for a command line that means the same backend. */
export function backendFlags(flags: Flags): string {
  const parts = ['embedded', 'nats', 'creds'].flatMap(name => {
    const value = text(flags, name)
    return value === undefined ? [] : [`--${name}`, quote(value)]
  })
  return parts.join(' ')
}

function quote(value: string): string {
  return /^[\w./:,@-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`
}
