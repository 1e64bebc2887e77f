// A command of the command line: its help, its flags and arguments, and an open namespace.

import type { OpenNamespace } from '../backend/backend.js'
import { type ActorAddress, parseAddress } from '../model/address.js'
import { messageOf } from '../model/errors.js'
import { newId } from '../model/id.js'
import { didYouMean } from '../model/nearest.js'
import { show } from '../model/show.js'
import { UsageError } from '../program/exit-codes.js'
import {
  backendOf,
  countFlag,
  type ParsedFlags,
  isSet,
  namespaceOf,
} from '../program/flags.js'
import type { Progress } from './progress.js'

export interface CliCommand {
  /** As in `cairn <usage>`; its first word is the command's name. */
  readonly usage: string
  readonly flags: Readonly<
    Record<string, { readonly type: 'string' | 'boolean'; readonly multiple?: boolean }>
  >
  /** Lines for `--help`, beside the common flags. */
  readonly help?: string
  /** The words that its first argument may be, for completion. */
  readonly verbs?: readonly string[]
  /** It runs until it is interrupted, and shows by itself what it does. */
  readonly isLive?: boolean
  /** It may read a whole namespace for minutes: its progress goes to a pipe, too. */
  readonly isLong?: boolean
  /** It is a program of its own, with its own output: there is no --json. */
  readonly isProgram?: boolean
  /** Its exit codes, where they have another meaning. */
  readonly exits?: string
  /** Resolves with the exit code. */
  run(
    flags: ParsedFlags,
    signal: AbortSignal,
    progress: Progress,
    commands: CommandTable,
  ): Promise<number>
}

/** All commands, for the one that completes their names. */
export interface CommandTable {
  readonly names: readonly string[]
  load(name: string): Promise<CliCommand | undefined>
  summaryOf(name: string): string
}

/** The id that a run of the command line has in the commits that it stores. */
export function newCliId(): string {
  return `cli-${newId().slice(0, 8)}`
}

/** Opens the namespace that the flags name, and closes it when the work has ended. Reading creates nothing. */
export async function withNamespace(
  flags: ParsedFlags,
  work: (open: OpenNamespace, nodeId: string) => Promise<number>,
  { create = false } = {},
): Promise<number> {
  const namespace = namespaceOf(flags)
  const nodeId = newCliId()
  const backend = backendOf(flags)
  await using open = await backend.open({ namespace, nodeId, create })
  return await work(open, nodeId)
}

export function wantsJson(flags: ParsedFlags): boolean {
  return isSet(flags, 'json')
}

/** The positionals by name; throws {@link UsageError} when one is missing or too many. */
export function positionals<Name extends string, Optional extends string = never>(
  flags: ParsedFlags,
  required: readonly Name[],
  optional: readonly Optional[] = [],
): Record<Name, string> & Partial<Record<Optional, string>> {
  const given = flags.positionals
  const names = [...required, ...optional]
  if (given.length < required.length)
    throw new UsageError(`${required[given.length]} is missing.`)
  if (given.length > names.length) {
    const isJson = names.some(name => name === 'JSON')
    throw new UsageError(
      `${JSON.stringify(given[names.length])} is one argument too many.` +
        (isJson ? ` JSON needs quotes around it: '{"amount":10}'.` : ''),
    )
  }
  const byName = Object.fromEntries(given.map((value, i) => [names[i], value]))
  return byName as Record<Name, string> & Partial<Record<Optional, string>>
}

export interface CommandArguments {
  /** The actor as it was given. */
  readonly name: string
  readonly actor: ActorAddress
  readonly command: string
  readonly data: unknown
}

/** The arguments `TYPE/ID COMMAND [JSON]`. */
export function commandArguments(flags: ParsedFlags): CommandArguments {
  const given = positionals(flags, ['TYPE/ID', 'COMMAND'], ['JSON'])
  const name = given['TYPE/ID']
  const actor = parseAddress(name)
  return { name, actor, command: given.COMMAND, data: parseJson(given.JSON) }
}

/** The signal, and the deadline of `--timeout`. */
export function boundsOf(
  flags: ParsedFlags,
  signal: AbortSignal,
): { readonly signal: AbortSignal; readonly timeout?: number } {
  const timeout = countFlag(flags, 'timeout', 1)
  return timeout === undefined ? { signal } : { signal, timeout }
}

/** One of the verbs of a command, such as `pause`; throws {@link UsageError}. */
export function verbOf<Verb extends string>(given: string, verbs: readonly Verb[]): Verb {
  const verb = verbs.find(one => one === given)
  if (verb !== undefined) return verb
  if (given === '') throw new UsageError(`${verbs.join('|')} is missing.`)
  throw new UsageError(
    `${JSON.stringify(given)} is not known here: use ${verbs.join(', ')}.${didYouMean(given, verbs)}`,
  )
}

/** Throws {@link UsageError} for a common flag that a command does not take. */
export function refuseFlags(
  flags: ParsedFlags,
  names: readonly string[],
  why: string,
): void {
  const unusable = names.find(name => flags.values[name] !== undefined)
  if (unusable !== undefined)
    throw new UsageError(`--${unusable} has no meaning here: ${why}`)
}

/** The value of a JSON argument; throws {@link UsageError}. */
export function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new UsageError(
      `${show(text)} is not JSON (${messageOf(error)}). Write it in quotes: '{"amount":10}'.`,
    )
  }
}
