// Runs the targets on mutated inputs for a time, and judges each outcome.

import { performance } from 'node:perf_hooks'

import { isCairnError, messageOf } from '../../src/model/errors.js'
import { mutate, randomOf } from './mutate.js'
import { Difference, type Target } from './targets.js'

export interface FuzzReport {
  cases: number
  /** Inputs that were read without a complaint. */
  accepted: number
  refused: number
  /** The reader threw what is no error of Cairn's, where it may throw only those, or ran out of stack or memory. */
  readonly crashes: Finding[]
  /** The reader took longer than `hangAfter`. */
  readonly hangs: Finding[]
  /** An error or a reason that says next to nothing, or is longer than anybody reads. */
  readonly unclear: Finding[]
  /** What was read is read as something else once it is written again. */
  readonly differences: Finding[]
}

export interface Finding {
  readonly target: string
  readonly what: string
  readonly input: string
}

export interface FuzzOptions {
  readonly seed: number
  /** Milliseconds of this process's CPU. */
  readonly cpu: number
  /** It goes on until it has run so many. Default 0. */
  readonly casesMin?: number
  /** Inputs of earlier findings, by target, in base64: they are run first. */
  readonly corpus: Readonly<Record<string, readonly string[]>>
}

/** Milliseconds of CPU. */
const hangAfter = 6_000
const findingsMax = 20
const messageMin = 12
const messageMax = 4_000
/** The bare MessagePack reader throws plain errors, which each of its callers puts into one of its own. */
const throwsPlainErrors = new Set(['MessagePack'])

export async function fuzz(
  targets: readonly Target[],
  { seed, cpu, casesMin = 0, corpus }: FuzzOptions,
): Promise<FuzzReport> {
  const random = randomOf(seed)
  const report: FuzzReport = {
    cases: 0,
    accepted: 0,
    refused: 0,
    crashes: [],
    hangs: [],
    unclear: [],
    differences: [],
  }
  for (const target of targets)
    for (const input of [
      ...target.seeds,
      ...(corpus[target.name] ?? []).map(text => Buffer.from(text, 'base64')),
    ])
      await runCase(target, Buffer.from(input), report)
  const start = process.cpuUsage()
  const spent = () => {
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1_000
  }
  const isOver = () => report.cases >= casesMin && spent() >= cpu
  for (let turn = 0; turn % 256 !== 0 || !isOver(); turn++) {
    const target = targets[turn % targets.length]!
    if (random(target.cost ?? 1) !== 0) continue
    const found = (corpus[target.name] ?? []).map(text => Buffer.from(text, 'base64'))
    const seeds = [...target.seeds, ...found]
    const input = mutate(seeds[random(seeds.length)]!, seeds, random)
    await runCase(target, input, report)
  }
  return report
}

async function runCase(target: Target, input: Buffer, report: FuzzReport): Promise<void> {
  report.cases++
  const add = (list: Finding[], what: string) => {
    if (list.length < findingsMax)
      list.push({ target: target.name, what, input: input.toString('base64') })
  }
  const start = performance.now()
  const cpuStart = process.cpuUsage()
  try {
    const reason = await target.run(input)
    if (typeof reason === 'string') {
      report.refused++
      judgeText(reason, what => add(report.unclear, what))
    } else report.accepted++
  } catch (error) {
    if (error instanceof Difference) return add(report.differences, error.message)
    report.refused++
    if (isCairnError(error)) judgeText(error.message, what => add(report.unclear, what))
    else if (!throwsPlainErrors.has(target.name) || error instanceof RangeError)
      add(report.crashes, messageOf(error))
  }
  if (performance.now() - start < hangAfter) return
  const { user, system } = process.cpuUsage(cpuStart)
  if (user + system > hangAfter * 1_000)
    add(report.hangs, `${(user + system) / 1_000} ms`)
}

function judgeText(text: string, add: (what: string) => void): void {
  if (text.length < messageMin) add(`it says only "${text}"`)
  else if (text.length > messageMax) add(`it takes ${text.length} characters`)
  else if (
    /call stack|out of memory|undefined \(reading|is not a function|is not iterable|\[object/.test(
      text,
    )
  )
    add(`it tells of the program, not of the input: ${text}`)
}

/** The report as a text. */
export function formatReport({
  cases,
  accepted,
  refused,
  crashes,
  hangs,
  unclear,
  differences,
}: FuzzReport): string {
  const lines = [
    `cases ${cases} (accepted ${accepted}, refused ${refused})`,
    `crashes ${crashes.length}, hangs ${hangs.length}, unclear errors ${unclear.length}, differences ${differences.length}`,
  ]
  for (const { target, what, input } of [
    ...crashes,
    ...hangs,
    ...unclear,
    ...differences,
  ])
    lines.push(`${target}: ${what}\n  ${input.slice(0, 400)}`)
  return lines.join('\n')
}
