// Actor definitions for the programs: from files (`--actors FILE`), and the demo's.

import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import type { AnyActorDefinition } from '../actor/define.js'
import { CairnError, messageOf } from '../model/errors.js'
import { UsageError } from './exit-codes.js'
import { type Flags, isSet, texts } from './flags.js'

export const actorFlags = {
  actors: { type: 'string', multiple: true },
  demo: { type: 'boolean' },
} as const

/** The definitions that `--actors` and `--demo` name, in that order. */
export async function loadActors(flags: Flags): Promise<AnyActorDefinition[]> {
  const fromFiles = await Promise.all(texts(flags, 'actors').map(loadFile))
  const fromDemo = isSet(flags, 'demo')
    ? // Only here: it brings XState along.
      (await import('../demo/demo.js')).demoActors
    : []
  return [...fromFiles.flat(), ...fromDemo]
}

/** Every definition that the module exports, alone or in a list. */
async function loadFile(file: string): Promise<AnyActorDefinition[]> {
  const path = resolve(file)
  const problem = (why: string, cause?: unknown) =>
    new CairnError('invalid-definition', `--actors ${file}: ${why}`, { cause })
  try {
    await stat(path)
  } catch (error) {
    throw new UsageError(
      `--actors ${file}: the file cannot be read (${messageOf(error)}).`,
    )
  }
  let module: Record<string, unknown>
  try {
    module = (await import(pathToFileURL(path).href)) as Record<string, unknown>
  } catch (error) {
    throw problem(`the module cannot be loaded: ${messageOf(error)}.`, error)
  }
  const found = Object.values(module)
    .flatMap(value => value)
    .filter(isDefinition)
  if (found.length === 0)
    throw problem(
      'it exports no actor definition. Export what defineActor(…) or fromMachine(…) returns.',
    )
  return [...new Set(found)]
}

function isDefinition(value: unknown): value is AnyActorDefinition {
  if (typeof value !== 'object' || value === null) return false
  return 'type' in value && 'behavior' in value && 'options' in value
}
