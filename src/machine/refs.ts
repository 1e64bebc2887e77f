// References to actors in a machine's context: names in a state, actors in a snapshot.

import type { AnyActorRef } from 'xstate'

/** XState's marker for a child, with its id. */
const childMark = 'xstate$$type'
/** Cairn's marker for the machine itself and its parent. */
const relativeMark = 'cairn$actor'

type RelativeName = 'self' | 'parent'

export interface Relatives {
  readonly self: AnyActorRef
  readonly parent: AnyActorRef | undefined
}

/** The context with names in place of actors; the same object when it holds no actors. */
export function replaceRefs<Context>(
  context: Context,
  { self, parent }: Relatives,
): Context {
  return mapped(context, value => {
    if (!('sessionId' in value && 'send' in value && 'ref' in value)) return undefined
    const ref = value as unknown as AnyActorRef
    const relative = ref === self ? 'self' : ref === parent ? 'parent' : undefined
    if (relative !== undefined) return { [relativeMark]: relative }
    return { [childMark]: 1, id: ref.id }
  })
}

/** Copies what XState changes in place when it revives a context. */
export function copyForRevival<Context>(context: Context): Context {
  return mapped(context, value =>
    childMark in value || relativeMark in value ? { ...value } : undefined,
  )
}

/** Revives the references that XState does not, in place, in a context copied for that. */
export function reviveRefs(context: unknown, relatives: Relatives): void {
  if (!isPlain(context)) return
  for (const [key, value] of Object.entries(context)) {
    if (!isPlain(value)) continue
    const relative = value[relativeMark] as RelativeName | undefined
    if (relative === undefined) reviveRefs(value, relatives)
    else (context as Record<string, unknown>)[key] = relatives[relative]
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
