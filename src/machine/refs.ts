// Actors that a machine keeps in its context: in a state they are names, as XState writes them down,
// and in a snapshot they are actors again.

import type { AnyActorRef } from 'xstate'

/** XState's mark for a child, by its id. */
const childMark = 'xstate$$type'
/** Cairn's, for the two that are no children. */
const relativeMark = 'cairn$actor'

type Relative = 'self' | 'parent'

export interface Relatives {
  readonly self: AnyActorRef
  readonly parent: AnyActorRef | undefined
}

/** The context with names in the place of actors; the same one where it holds none. */
export function withNames<Context>(
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

/** XState revives a context in its place: what it changes in there is made anew for it. */
export function unshared<Context>(context: Context): Context {
  return mapped(context, value =>
    childMark in value || relativeMark in value ? { ...value } : undefined,
  )
}

/** Revives what XState does not, in the context that was made for it. */
export function reviveRelatives(context: unknown, relatives: Relatives): void {
  if (!isPlain(context)) return
  for (const [key, value] of Object.entries(context)) {
    if (!isPlain(value)) continue
    const relative = value[relativeMark] as Relative | undefined
    if (relative === undefined) reviveRelatives(value, relatives)
    else (context as Record<string, unknown>)[key] = relatives[relative]
  }
}

/** A copy in which some objects are others; what holds none of them is not copied. */
function mapped<Part>(
  part: Part,
  other: (value: Readonly<Record<string, unknown>>) => object | undefined,
): Part {
  if (!isPlain(part)) return part
  let copy: Record<string, unknown> | undefined
  for (const [key, value] of Object.entries(part)) {
    if (typeof value !== 'object' || value === null) continue
    const now = other(value as Record<string, unknown>) ?? mapped(value, other)
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
