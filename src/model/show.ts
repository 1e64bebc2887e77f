// Formats values for error messages: quoted and short.

const limit = 80

/** A string is quoted and cut at 80 characters; any other value is shown as its type. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object') return 'an object'
  if (typeof value !== 'string') return `a ${typeof value}`
  const quoted = JSON.stringify(value)
  return quoted.length <= limit
    ? quoted
    : `${quoted.slice(0, limit)}…" (${value.length} characters)`
}
