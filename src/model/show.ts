// Formats values for error messages: quoted and short.

const limit = 80

/** A string is quoted and cut at 80 characters; objects and functions are shown as their type. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'string') return `a ${typeof value}`
  const quoted = JSON.stringify(value)
  return quoted.length <= limit
    ? quoted
    : `${quoted.slice(0, limit)}…" (${value.length} characters)`
}
