// JSON Schemas (draft 2020-12), as OpenAPI 3.1 uses them.

export interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly enum?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly format?: string
  readonly pattern?: string
  readonly default?: unknown
  readonly additionalProperties?: boolean | Schema
  readonly $ref?: string
}

export const anyValue: Schema = {}
export const textSchema: Schema = { type: 'string' }
export const countSchema: Schema = { type: 'integer', minimum: 0 }
export const flagSchema: Schema = { type: 'boolean' }

export function listOf(items: Schema): Schema {
  return { type: 'array', items }
}

/** An object whose properties are all there, except those with a name that ends with `?`. */
export function objectOf(properties: Readonly<Record<string, Schema>>): Schema {
  const names = Object.keys(properties)
  const required = names.filter(name => !name.endsWith('?'))
  return {
    type: 'object',
    properties: Object.fromEntries(
      names.map(name => [name.replace(/\?$/, ''), properties[name]!]),
    ),
    ...(required.length > 0 && { required }),
  }
}

/** The schema of a type: it names all properties of the type, and no others. */
export function shapeOf<Shape>(properties: SchemasOf<Shape>): Schema {
  return objectOf(properties)
}

type SchemasOf<Shape> = {
  readonly [
    Name in keyof Shape & string as Pick<Shape, Name> extends Required<Pick<Shape, Name>>
      ? Name
      : `${Name}?`
  ]: Schema
}

export function refTo(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` }
}
