// Checks that an object of options has known keys only: a misspelt option would be ignored in silence.

import { CairnError, type ErrorCode } from './errors.js'
import { didYouMean } from './nearest.js'
import { show } from './show.js'

/** The keys of an options type, which the compiler keeps complete. */
export type OptionNames<Options> = { readonly [Name in keyof Required<Options>]: true }

/** Throws for something that is not an object, and for a key that is not an option. */
export function checkOptions(
  what: string,
  options: unknown,
  known: Readonly<Record<string, true>>,
  code: Extract<ErrorCode, 'invalid-option' | 'invalid-definition'> = 'invalid-option',
): void {
  if (typeof options !== 'object' || options === null)
    throw new CairnError(
      code,
      `${what} takes an object of options, and got ${show(options)}: pass { ${namesOf(known)} }.`,
    )
  for (const name in options)
    if (!Object.hasOwn(known, name))
      throw new CairnError(
        code,
        `${what} has no option ${show(name)}.${didYouMean(name, Object.keys(known))} ` +
          `It has ${namesOf(known)}.`,
        { details: { option: name, known: Object.keys(known) } },
      )
}

function namesOf(known: Readonly<Record<string, true>>): string {
  return Object.keys(known).join(', ')
}
