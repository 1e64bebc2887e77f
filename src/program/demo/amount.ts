// The demo's schema: what a library such as zod makes of `z.object({ amount: z.number().int().positive() })`. Cairn
// depends on no such library, so the demo has the interface by hand.

import type { StandardSchema } from '../../model/schema.js'

export const amount: StandardSchema<{ readonly amount: number }> = {
  '~standard': {
    version: 1,
    vendor: 'cairn-demo',
    validate(value) {
      if (typeof value !== 'object' || value === null)
        return { issues: [{ message: 'pass an object, for example {"amount":10}' }] }
      const { amount: given } = value as { readonly amount?: number }
      if (Number.isSafeInteger(given) && given! > 0) return { value: { amount: given! } }
      const message = 'pass a positive whole number, for example {"amount":10}'
      return { issues: [{ path: ['amount'], message }] }
    },
  },
}
