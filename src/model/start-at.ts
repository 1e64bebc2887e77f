// Where a reader of topics begins.

/** `first`: with the first message. `new`: with those that are stored after its first declaration. */
export type StartAt = 'first' | 'new'

export function isStartAt(value: unknown): value is StartAt {
  return value === 'first' || value === 'new'
}
