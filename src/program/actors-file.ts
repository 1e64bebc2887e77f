// The definitions that a program runs: those of files (`--actors FILE`) and of the demo. A file may
// export actors, reactors and projections.

import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'

import type { AnyActorDefinition } from '../actor/definition.js'
import { CairnError, messageOf } from '../model/errors.js'
import { isProjection, type Projection } from '../projection/define-projection.js'
import { isReactor, type Reactor } from '../delivery/reactor/define-reactor.js'
import { UsageError } from './exit-codes.js'
import { type ParsedFlags, isSet, textFlags } from './flags.js'
import { importModule } from './typescript.js'

export const actorFlags = {
  actors: { type: 'string', multiple: true },
  demo: { type: 'boolean' },
} as const

/** The definitions of `--actors` and then of `--demo`, by kind. */
export interface Definitions {
  readonly actors: readonly AnyActorDefinition[]
  readonly reactors: readonly Reactor[]
  readonly projections: readonly Projection[]
}

export async function loadDefinitions(flags: ParsedFlags): Promise<Definitions> {
  const fromFiles = (await Promise.all(textFlags(flags, 'actors').map(loadFile))).flat()
  const fromDemo = isSet(flags, 'demo')
    ? // Loaded when needed: it loads XState.
      (await import('./demo/demo.js')).demoActors
    : []
  return {
    actors: [...fromFiles.filter(isActor), ...fromDemo],
    reactors: fromFiles.filter(isReactor),
    projections: fromFiles.filter(isProjection),
  }
}

/** The actors alone; throws `invalid-definition` where `--actors` is given and exports none. */
export async function loadActors(
  flags: ParsedFlags,
): Promise<readonly AnyActorDefinition[]> {
  const { actors } = await loadDefinitions(flags)
  if (actors.length === 0 && textFlags(flags, 'actors').length > 0)
    throw new CairnError(
      'invalid-definition',
      `--actors ${textFlags(flags, 'actors').join(', ')}: no actor definition is exported. Export what ` +
        'defineActor(…) or fromMachine(…) returns.',
    )
  return actors
}

/** Every definition that the module exports, alone or in a list. */
async function loadFile(file: string): Promise<Definition[]> {
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
    module = await importModule(path)
  } catch (error) {
    throw problem(`the module cannot be loaded: ${messageOf(error)}.`, error)
  }
  const found = Object.values(module)
    .flatMap(value => value)
    .filter(isDefinition)
  if (found.length === 0)
    throw problem(
      'it exports no definition. Export what defineActor(…), fromMachine(…), defineReactor(…) or ' +
        'defineProjection(…) returns.',
    )
  return [...new Set(found)]
}

type Definition = AnyActorDefinition | Reactor | Projection

function isDefinition(value: unknown): value is Definition {
  return isActor(value) || isReactor(value) || isProjection(value)
}

function isActor(value: unknown): value is AnyActorDefinition {
  if (typeof value !== 'object' || value === null) return false
  return 'type' in value && 'behavior' in value && 'options' in value
}
