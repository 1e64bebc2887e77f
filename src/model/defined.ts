// Optional properties under `exactOptionalPropertyTypes`: absent instead of undefined.

/** `T` with each property that may be undefined as an optional one that is never undefined. */
export type Defined<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K]
} & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** Options whose properties `Names` have their defaults. */
export type WithDefaults<T, Names extends keyof T> = Omit<T, Names> & {
  readonly [Name in Names]-?: Exclude<T[Name], undefined>
}

/**
 * Returns a copy of `properties` without those that are undefined: `defined({ a: 1, b: undefined })`
 * is `{ a: 1 }`. Allocates; on hot paths assign each property instead.
 */
export function defined<T extends object>(properties: T): Defined<T> {
  const result: Partial<T> = {}
  for (const key in properties)
    if (properties[key] !== undefined) result[key] = properties[key]
  return result as unknown as Defined<T>
}
