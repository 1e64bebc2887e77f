// Paths into values, for error messages.

import { show } from './show.js'

const namePattern = /^[\p{L}_$][\p{L}\p{N}_$]*$/u

/** Formats a path: `lines[2].price`, or `["a b"]` for a key that is not a name. */
export function pathOf(steps: readonly (string | number)[]): string {
  const text = steps.map(step => {
    if (typeof step === 'number') return `[${step}]`
    return namePattern.test(step) ? `.${step}` : `[${show(step)}]`
  })
  return text.join('').replace(/^\./, '')
}
