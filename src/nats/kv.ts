// The header with which clients of key-value buckets mark a removed key (ADR-8).

import type { HeaderValues } from './headers.js'

const header = 'KV-Operation'

export const removal = [[header, 'DEL']] as const

export function isRemoval(headers: HeaderValues): boolean {
  return headers.has(header)
}
