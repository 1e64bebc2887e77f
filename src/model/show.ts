// Values as they appear in error messages: quoted, and short enough to read.

const limit = 80

/** `"text"` quoted and cut at 80 characters; anything else by its kind. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object') return 'an object'
  if (typeof value !== 'string') return `a ${typeof value}`
  const quoted = JSON.stringify(value)
  return quoted.length <= limit
    ? quoted
    : `${quoted.slice(0, limit)}…" (${value.length} characters)`
}
