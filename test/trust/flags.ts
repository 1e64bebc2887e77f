// The flags of a trust run.

import { parseArgs } from 'node:util'

import { newSeed } from '../../src/testing/random.js'
import type { Fault } from './faults/fault.js'
import { allFaults } from './faults/faults.js'
import type { Place } from './history.js'

export const usage = `Usage: npm run trust -- [flags]

  --minutes N     how long the faults go on (default: 3)
  --seed S        a whole number; the same one draws the same faults (default: a new one)
  --place PLACE   nats, r3 or lmdb (default: nats)
  --faults WHICH  all, none, or names separated by commas (default: all)
  --keep          keep the history of a clean run, too; one with violations is always kept
  --check FOLDER  check a kept history again, and run nothing
  --help          this text`

export interface Flags {
  readonly minutes: number
  readonly seed: number
  readonly place: Place
  readonly faults: readonly Fault[]
  readonly keep: boolean
  readonly check: string | undefined
  readonly help: boolean
}

/** A flag that is wrong; the message says which, and what to pass instead. */
export class UsageError extends Error {}

const places = ['nats', 'r3', 'lmdb'] as const satisfies Place[]

/** Throws {@link UsageError}. */
export function readFlags(args = process.argv.slice(2)): Flags {
  const { minutes, seed, place, faults, keep, check, help } = parse(args)
  const known = places.find(one => one === place)
  if (known === undefined)
    throw new UsageError(`There is no place ${place}: use ${places.join(', ')}.`)
  return {
    minutes: numberOf('--minutes', minutes, value => value >= 0, 'a number from 0'),
    seed:
      seed === undefined
        ? newSeed()
        : numberOf('--seed', seed, Number.isSafeInteger, 'a whole number'),
    place: known,
    faults: faultsOf(faults),
    keep,
    check,
    help,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string', default: '3' },
        seed: { type: 'string' },
        place: { type: 'string', default: 'nats' },
        faults: { type: 'string', default: 'all' },
        keep: { type: 'boolean', default: false },
        check: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values as {
      readonly minutes: string
      readonly seed?: string
      readonly place: string
      readonly faults: string
      readonly keep: boolean
      readonly check?: string
      readonly help: boolean
    }
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function numberOf(
  flag: string,
  text: string,
  isRight: (value: number) => boolean,
  use: string,
): number {
  const value = text.trim() === '' ? NaN : Number(text)
  if (isRight(value)) return value
  throw new UsageError(`${flag} is ${JSON.stringify(text)}: use ${use}.`)
}

function faultsOf(names: string): readonly Fault[] {
  if (names === 'all') return allFaults
  if (names === 'none') return []
  return names.split(',').map(name => {
    const fault = allFaults.find(one => one.name === name)
    if (fault !== undefined) return fault
    const known = allFaults.map(one => one.name).join(', ')
    throw new UsageError(
      `There is no fault ${name}: use all, none, or some of ${known}, separated by commas.`,
    )
  })
}
