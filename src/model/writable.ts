/** `T` without readonly, for an object that is filled property by property. */
export type Writable<T> = { -readonly [Key in keyof T]: T[Key] }
