// A JSON value, with what has changed since another one marked.

export interface JsonProps {
  readonly value: unknown
  /** Marks what differs from this. */
  readonly before?: { readonly value: unknown }
  readonly label: string
}

export function Json({ value, before, label }: JsonProps) {
  return (
    <div class="json scroll" role="group" aria-label={label} tabIndex={0}>
      <Value value={value} before={before} depth={0} />
    </div>
  )
}

interface Before {
  readonly value: unknown
}

function Value({
  value,
  before,
  depth,
}: {
  readonly value: unknown
  readonly before: Before | undefined
  readonly depth: number
}) {
  if (!isContainer(value)) {
    const isChanged = before !== undefined && !isSame(before.value, value)
    return (
      <span class={`${kindOf(value)}${isChanged ? ' changed' : ''}`}>
        {isChanged && before.value !== undefined && !isContainer(before.value) && (
          <>
            <del>{JSON.stringify(before.value)}</del>{' '}
          </>
        )}
        {isChanged ? <ins>{textOf(value)}</ins> : textOf(value)}
      </span>
    )
  }
  const isList = Array.isArray(value)
  const old = before !== undefined && isContainer(before.value) ? before.value : undefined
  const entries = Object.entries(value)
  const removed =
    old === undefined ? [] : Object.entries(old).filter(([key]) => !(key in value))
  if (entries.length === 0 && removed.length === 0)
    return <span class="mark">{isList ? '[]' : '{}'}</span>
  return (
    <>
      <span class="mark">{isList ? '[' : '{'}</span>
      <div class="json-inside">
        {entries.map(([key, one]) => {
          const was = before === undefined ? undefined : { value: fieldOf(old, key) }
          return (
            <div key={key}>
              {!isList && <span class="key">{key}: </span>}
              <Value value={one} before={was} depth={depth + 1} />
            </div>
          )
        })}
        {removed.map(([key, one]) => (
          <div key={`-${key}`} class="changed">
            <del>
              {isList ? '' : `${key}: `}
              {JSON.stringify(one)}
            </del>
          </div>
        ))}
      </div>
      <span class="mark">{isList ? ']' : '}'}</span>
    </>
  )
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function fieldOf(from: Record<string, unknown> | undefined, key: string): unknown {
  return from !== undefined && Object.hasOwn(from, key) ? from[key] : undefined
}

function textOf(value: unknown): string {
  return value === undefined ? 'undefined' : JSON.stringify(value)
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value
}

export function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
