// The trace of a schedule: each delivery, timer and result with its simulated time, each answer, and each stored commit.
// Two runs of a seed have the same trace.

import { inspect } from 'node:util'

import { simulate, type SimulateOptions } from './simulate.js'

export async function traceOf(
  seed: number,
  options: SimulateOptions = {},
): Promise<string[]> {
  const lines: string[] = []
  try {
    const { log, summary, faults } = await simulate(seed, {
      ...options,
      onStep: ({ at, what }) => lines.push(`${at} ${what}`),
      onAnswer: (at, answer) => lines.push(`${at} ${show(answer)}`),
    })
    lines.push(...log.map(show), show(summary), show(faults))
  } catch (error) {
    lines.push(error instanceof Error ? error.message : String(error))
  }
  return lines
}

/** Where two traces part, for the message of a test; `undefined` if they do not. */
export function parting(
  one: readonly string[],
  other: readonly string[],
): string | undefined {
  const at = Array.from({ length: Math.max(one.length, other.length) }).findIndex(
    (_, i) => one[i] !== other[i],
  )
  if (at < 0) return undefined
  return `line ${at + 1} is "${one[at] ?? 'missing'}", and then "${other[at] ?? 'missing'}"`
}

function show(value: unknown): string {
  return inspect(value, { depth: 10, breakLength: Infinity, maxArrayLength: Infinity })
}
