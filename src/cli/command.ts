// What a CLI command is: its help, its flags, and its work on an open namespace.

import type { OpenNamespace } from '../backend/backend.js'
import { messageOf } from '../model/errors.js'
import { newId } from '../model/id.js'
import { UsageError } from '../program/exit-codes.js'
import { backendOf, type Flags, isSet, namespaceOf } from '../program/flags.js'

export interface CliCommand {
  /** As in `cairn <usage>`. */
  readonly usage: string
  readonly summary: string
  readonly flags: Readonly<
    Record<string, { readonly type: 'string' | 'boolean'; readonly multiple?: boolean }>
  >
  /** Lines for `--help`, beside the common flags. */
  readonly help?: string
  /** Resolves with the exit code. */
  run(flags: Flags, signal: AbortSignal): Promise<number>
}

/** Opens the namespace that the flags name, and closes it whatever happens. */
export async function withNamespace(
  flags: Flags,
  work: (open: OpenNamespace, nodeId: string) => Promise<number>,
): Promise<number> {
  const namespace = namespaceOf(flags)
  const nodeId = `cli-${newId().slice(0, 8)}`
  const backend = await backendOf(flags)
  const open = await backend.open({ namespace, nodeId })
  try {
    return await work(open, nodeId)
  } finally {
    await open.close()
  }
}

export function wantsJson(flags: Flags): boolean {
  return isSet(flags, 'json')
}

/** The positionals by name; throws {@link UsageError} when one is missing or too many. */
export function positionals<Name extends string>(
  flags: Flags,
  names: readonly Name[],
  optional: readonly Name[] = [],
): Record<Name, string | undefined> {
  const given = flags.positionals
  const required = names.filter(name => !optional.includes(name))
  if (given.length < required.length) {
    throw new UsageError(`${names[given.length]} is missing.`)
  }
  if (given.length > names.length)
    throw new UsageError(
      `${JSON.stringify(given[names.length])} is one argument too many. JSON needs quotes around it: '{"amount":10}'.`,
    )
  return Object.fromEntries(names.map((name, i) => [name, given[i]])) as Record<
    Name,
    string | undefined
  >
}

/** Throws {@link UsageError} for a common flag that means nothing to a command, which says why and what else. */
export function refuseFlags(flags: Flags, names: readonly string[], why: string): void {
  const needless = names.find(name => flags.values[name] !== undefined)
  if (needless !== undefined)
    throw new UsageError(`--${needless} says nothing here: ${why}`)
}

/** The value of a JSON argument; throws {@link UsageError}. */
export function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new UsageError(
      `${JSON.stringify(text)} is not JSON (${messageOf(error)}). Write it in quotes: '{"amount":10}'.`,
    )
  }
}
