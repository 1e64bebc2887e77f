// References to actors in a machine's context: names in a state, actors in a snapshot.

import type { AnyActorRef } from 'xstate'

/** XState's marker for a child, with its id. */
const childMark = 'xstate$$type'
/** Cairn's marker for the machine itself, its parent, and children that have ended. */
const relativeMark = 'cairn$actor'

/** A reference as data. */
export type RefName =
  | { readonly [childMark]: 1; readonly id: string }
  | { readonly [relativeMark]: 'self' | 'parent' }
  | { readonly [relativeMark]: 'ended'; readonly key: string }

type RelativeName = Exclude<RefName, { readonly [childMark]: 1 }>

export function childName(id: string): RefName {
  return { [childMark]: 1, id }
}

export function relativeName(relative: 'self' | 'parent'): RefName {
  return { [relativeMark]: relative }
}

export function endedName(key: string): RefName {
  return { [relativeMark]: 'ended', key }
}

/** The context with names in place of actors; the same object when it holds no actors. */
export function replaceRefs<Context>(
  context: Context,
  nameOf: (ref: AnyActorRef) => RefName,
): Context {
  return mapped(context, value => {
    if (!('sessionId' in value && 'send' in value && 'ref' in value)) return undefined
    return nameOf(value as unknown as AnyActorRef)
  })
}

/**
 * Copies what is changed in place when a context is revived. XState revives the names of children; the name of a child
 * that is no longer there becomes that of one that has ended.
 */
export function copyForRevival<Context>(
  context: Context,
  children: Readonly<Record<string, unknown>>,
): Context {
  return mapped(context, value => {
    if (relativeMark in value) return { ...value }
    if (!(childMark in value)) return undefined
    const { id } = value as { readonly id: string }
    return Object.hasOwn(children, id) ? { ...value } : endedName(id)
  })
}

/** Revives the references that XState does not, in place, in a context copied for that. */
export function reviveRefs(
  context: unknown,
  actorOf: (name: RelativeName) => AnyActorRef | undefined,
): void {
  if (!isPlain(context)) return
  for (const [key, value] of Object.entries(context)) {
    if (!isPlain(value)) continue
    if (relativeMark in value)
      (context as Record<string, unknown>)[key] = actorOf(value as RelativeName)
    else reviveRefs(value, actorOf)
  }
}

/** A copy in which some objects are replaced; parts without such objects are not copied. */
function mapped<Part>(
  part: Part,
  replace: (value: Readonly<Record<string, unknown>>) => object | undefined,
): Part {
  if (!isPlain(part)) return part
  let copy: Record<string, unknown> | undefined
  for (const [key, value] of Object.entries(part)) {
    if (typeof value !== 'object' || value === null) continue
    const now = replace(value as Record<string, unknown>) ?? mapped(value, replace)
    if (now === value) continue
    copy ??= (Array.isArray(part) ? [...part] : { ...part }) as Record<string, unknown>
    copy[key] = now
  }
  return (copy ?? part) as Part
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value) as unknown
  return prototype === Object.prototype || prototype === null || Array.isArray(value)
}
