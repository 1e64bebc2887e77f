// Numbers, times and values as people read them.

const compact = new Intl.NumberFormat('en', {
  notation: 'compact',
  maximumFractionDigits: 1,
})
const whole = new Intl.NumberFormat('en')

export function number(value: number): string {
  return Math.abs(value) >= 100_000 ? compact.format(value) : whole.format(value)
}

export function rate(value: number): string {
  return value >= 100 ? number(Math.round(value)) : value.toFixed(value === 0 ? 0 : 1)
}

/** `12:04:07.123`, with the date if it is not today's. */
export function time(iso: string | undefined): string {
  if (iso === undefined) return ''
  const date = new Date(iso)
  const clock = date.toLocaleTimeString('en-GB', { hour12: false })
  const day = date.toDateString() === new Date().toDateString() ? '' : `${dayOf(date)} `
  return `${day}${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

function dayOf(date: Date): string {
  return date.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
  })
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** `3.2 s`, `5 min`. */
export function duration(ms: number): string {
  for (const [name, size] of units) if (ms >= size) return `${trim(ms / size)} ${name}`
  return `${Math.round(ms)} ms`
}

function trim(value: number): string {
  return value < 10 ? value.toFixed(1).replace(/\.0$/, '') : String(Math.round(value))
}

/** `in 5 min`, `3 s ago`. */
export function away(iso: string, now = Date.now()): string {
  const ms = Date.parse(iso) - now
  return ms >= 0 ? `in ${duration(ms)}` : `${duration(-ms)} ago`
}

export function short(id: string | undefined): string {
  return id === undefined ? '' : id.length > 13 ? `${id.slice(0, 8)}…` : id
}

/** A value on one line. */
export function line(value: unknown, max = 120): string {
  const text = value === undefined ? '' : (JSON.stringify(value) ?? '')
  return text.length > max ? `${text.slice(0, max - 1)}…` : text
}

/** A shell argument. */
export function quote(text: string): string {
  return /^[\w./:=@%+-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
