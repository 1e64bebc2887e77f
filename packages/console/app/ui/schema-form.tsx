// The data of a command: fields made of its schema, or JSON text. Both edit the same text, so that nothing is lost between
// them.

import { useState } from 'preact/hooks'

import type { JsonSchema } from '../types.ts'

type Kind = 'text' | 'number' | 'integer' | 'boolean' | 'choice'

/** A form has fields if each property is a text, a number, a truth or a choice. */
export function fieldsOf(
  schema: JsonSchema | null | undefined,
): readonly (readonly [string, JsonSchema, Kind])[] | undefined {
  if (schema?.type !== 'object' || schema.properties === undefined) return undefined
  const fields = Object.entries(schema.properties).map(
    ([name, field]) => [name, field, kindOf(field)] as const,
  )
  return fields.every(field => field[2] !== undefined)
    ? (fields as readonly (readonly [string, JsonSchema, Kind])[])
    : undefined
}

function kindOf({ type, enum: choices }: JsonSchema): Kind | undefined {
  if (choices !== undefined)
    return choices.every(one => typeof one === 'string') ? 'choice' : undefined
  switch (type) {
    case 'string':
      return 'text'
    case 'number':
    case 'integer':
    case 'boolean':
      return type
    default:
      return undefined
  }
}

export function DataForm({
  schema,
  text,
  onText,
}: {
  readonly schema: JsonSchema | null | undefined
  /** JSON, or empty for no data. */
  readonly text: string
  onText(text: string): void
}) {
  const [wantsJson, setWantsJson] = useState(false)
  const fields = fieldsOf(schema)
  const data = parsed(text)
  // What is typed as JSON may be what fields cannot show.
  const isForm = fields !== undefined && !wantsJson && data !== undefined
  return (
    <div class="data-form">
      {isForm ? (
        fields.map(([name, field, kind]) => (
          <Field
            key={name}
            name={name}
            field={field}
            kind={kind}
            isRequired={schema?.required?.includes(name) === true}
            value={data[name]}
            onValue={value => {
              const { [name]: _, ...rest } = data
              const next = value === undefined ? rest : { ...rest, [name]: value }
              onText(JSON.stringify(next))
            }}
          />
        ))
      ) : (
        <label class="field grow">
          <span>Data (JSON)</span>
          <textarea
            rows={2}
            spellcheck={false}
            value={text}
            placeholder={'{"amount": 10}'}
            onInput={event => onText(event.currentTarget.value)}
          />
        </label>
      )}
      {fields !== undefined && (
        <button
          type="button"
          class="quiet"
          aria-pressed={!isForm}
          disabled={!isForm && data === undefined}
          onClick={() => setWantsJson(isForm)}
        >
          {isForm ? 'As JSON' : 'As fields'}
        </button>
      )}
    </div>
  )
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  if (text.trim() === '') return {}
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function Field({
  name,
  field,
  kind,
  isRequired,
  value,
  onValue,
}: {
  readonly name: string
  readonly field: JsonSchema
  readonly kind: Kind
  readonly isRequired: boolean
  readonly value: unknown
  onValue(value: unknown): void
}) {
  const label = (
    <span title={field.description}>
      {field.title ?? name}
      {isRequired ? '' : ' (optional)'}
    </span>
  )
  if (kind === 'boolean' || kind === 'choice') {
    const choices = kind === 'boolean' ? ['true', 'false'] : (field.enum as string[])
    return (
      <label class="field">
        {label}
        <select
          required={isRequired}
          value={
            typeof value === 'string' || typeof value === 'boolean' ? String(value) : ''
          }
          onChange={({ currentTarget: { value: chosen } }) =>
            onValue(
              chosen === '' ? undefined : kind === 'boolean' ? chosen === 'true' : chosen,
            )
          }
        >
          <option value="">–</option>
          {choices.map(choice => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      </label>
    )
  }
  const isNumber = kind !== 'text'
  return (
    <label class="field">
      {label}
      <input
        required={isRequired}
        {...(isNumber
          ? {
              type: 'number',
              step: kind === 'integer' ? '1' : 'any',
              ...(field.minimum !== undefined && { min: field.minimum }),
              ...(field.maximum !== undefined && { max: field.maximum }),
            }
          : {
              type: 'text',
              ...(field.minLength !== undefined && { minLength: field.minLength }),
              ...(field.maxLength !== undefined && { maxLength: field.maxLength }),
            })}
        value={typeof value === 'string' || typeof value === 'number' ? value : ''}
        onInput={({ currentTarget: { value: typed } }) =>
          onValue(
            isNumber
              ? typed === ''
                ? undefined
                : Number(typed)
              : typed === '' && !isRequired
                ? undefined
                : typed,
          )
        }
      />
    </label>
  )
}
