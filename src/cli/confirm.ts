// Questions before what cannot be undone.

import { createInterface } from 'node:readline/promises'

import { UsageError } from '../program/exit-codes.js'
import { isSet, type ParsedFlags } from '../program/flags.js'
import type { Progress } from './progress.js'

export const confirmFlags = { yes: { type: 'boolean' } } as const

/**
 * Asks a person at a terminal, unless --yes is given; throws {@link UsageError} for another answer than yes. A script,
 * which has no terminal, is not asked: it means what it says.
 */
export async function confirm(
  flags: ParsedFlags,
  what: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  if (isSet(flags, 'yes') || !process.stdin.isTTY) return
  const answer = await question(`${what} for good? Type yes: `, progress, signal)
  if (/^y(?:es)?$/i.test(answer.trim())) return
  throw new UsageError('It was not confirmed: nothing was changed.')
}

/** The answer of a person at a terminal. */
export async function question(
  text: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<string> {
  progress.pause()
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(text, { signal })
  } finally {
    lines.close()
    progress.resume()
  }
}
