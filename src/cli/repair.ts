// cairn repair: finds what is damaged beside the log, and repairs it or finds it again from the log.

import type { OpenNamespace } from '../backend/backend.js'
import { courierGroup } from '../delivery/commands/courier.js'
import { readProgress } from '../delivery/group/progress.js'
import { damagedDocuments } from '../delivery/rebuild/damaged-documents.js'
import { missingTimers } from '../delivery/rebuild/missing-timers.js'
import { publishersInLog } from '../delivery/rebuild/rebuild-publishers.js'
import {
  publishersKey,
  readPublishers,
  storePublishers,
} from '../delivery/messages/topic-registry.js'
import { formatAddress } from '../model/address.js'
import { isCairnError } from '../model/errors.js'
import { partitionOf } from '../model/partition.js'
import { programs } from '../model/programs.js'
import { exitCode } from '../program/exit-codes.js'
import { backendOf, isSet, namespaceOf, type ParsedFlags } from '../program/flags.js'
import { checkBuildsDocument } from '../projection/builds.js'
import { checkMinimumDocument, minimumVersionsKey } from '../runtime/minimum-versions.js'
import { type CliCommand, newCliId, positionals } from './command.js'
import { complain, printRow } from './output.js'

export const repair: CliCommand = {
  usage: 'repair [--dry-run]',
  flags: { 'dry-run': { type: 'boolean' } },
  help: `  --dry-run          change nothing, and print what would be done

Nodes may run meanwhile. What cannot be repaired is listed too, and then the exit code is 1.
`,
  async run(flags, signal) {
    positionals(flags, [])
    const dryRun = isSet(flags, 'dry-run')
    const found: Finding[] = []
    const report = async (finding: Finding) => {
      found.push(finding)
      await print(flags, finding, dryRun)
    }
    const missing = await missingStreams(flags)
    for (const place of missing) await report(streamFinding(place))
    await using open = await openNamespace(flags, !dryRun && missing.length > 0)
    const isMissing = (suffix: string) =>
      dryRun && missing.some(stream => stream.endsWith(suffix))
    if (!isMissing('_GROUPS')) {
      await repairDocuments(open, dryRun, report, signal)
      await repairPublishers(open, dryRun, report, signal)
    }
    await repairTimers(open, { dryRun, isMissing: isMissing('_TIMERS') }, report, signal)
    const left = found.filter(({ action }) => action === undefined).length
    complain(summaryOf(found.length - left, left, dryRun))
    return left === 0 ? exitCode.ok : exitCode.failed
  },
}

interface Finding {
  readonly place: string
  readonly problem: string
  readonly reason?: string
  /** What is done about it; absent where nothing can be done. */
  readonly action?: string
}

type Report = (finding: Finding) => Promise<void>

function print(flags: ParsedFlags, finding: Finding, dryRun: boolean): Promise<void> {
  const { place, problem, action } = finding
  const state = action === undefined ? 'left' : dryRun ? 'found' : 'repaired'
  const what = action ?? 'nothing can be done about it here'
  return printRow(flags, { ...finding, state }, `${place}  ${problem}  ${state}: ${what}`)
}

function summaryOf(repaired: number, left: number, dryRun: boolean): string {
  if (repaired + left === 0) return 'Nothing is damaged beside the log.'
  const done = dryRun ? 'would be repaired' : 'repaired'
  return `${repaired} ${done}; ${left} left as they are.`
}

async function openNamespace(
  flags: ParsedFlags,
  create: boolean,
): Promise<OpenNamespace> {
  const backend = backendOf(flags)
  return backend.open({ namespace: namespaceOf(flags), nodeId: newCliId(), create })
}

/** The streams beside the log that do not exist. Nothing is created. */
async function missingStreams(flags: ParsedFlags): Promise<readonly string[]> {
  await using open = await openNamespace(flags, false)
  return open.damage
    .list()
    .filter(({ problem, state }) => problem === 'missing' && state === 'open')
    .map(({ place }) => place)
}

function streamFinding(place: string): Finding {
  const isRebuilt = /_(?:GROUPS|TIMERS|VIEWS)$/.test(place)
  const action = isRebuilt
    ? 'make it again; what it held is found again from the log'
    : 'make an empty one; what it held is lost, unless you restore it from a backup instead'
  return { place, problem: 'is missing', action }
}

/** A damaged document counts as none: its group or consumer starts again, or goes on from what a node knows. */
async function repairDocuments(
  { documents }: OpenNamespace,
  dryRun: boolean,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const others = {
    projection: checkBuildsDocument,
    [minimumVersionsKey]: checkMinimumDocument,
  }
  for await (const damaged of damagedDocuments(documents, others, signal)) {
    const { key, revision, reason, isNewer } = damaged
    const place = `document ${key.join('.')}`
    if (isNewer) {
      await report({ place, problem: 'is of a newer build' })
      continue
    }
    if (!dryRun) await documents.remove(key, revision)
    const [kind] = key
    const action =
      kind === minimumVersionsKey
        ? `remove it; set the minimum versions again with "${programs.cairn} versions require"`
        : 'remove it'
    await report({ place, problem: 'is damaged', reason, action })
  }
}

async function repairPublishers(
  { documents, store }: OpenNamespace,
  dryRun: boolean,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  if ((await readPublishers(documents)) !== undefined) return
  if ((await store.lastPosition({ signal })) === 0) return
  if (!dryRun) await storePublishers(documents, await publishersInLog(store, signal))
  await report({
    place: `document ${publishersKey.join('.')}`,
    problem: 'is missing',
    action: 'make it again from the log',
  })
}

async function repairTimers(
  open: OpenNamespace,
  { dryRun, isMissing }: { readonly dryRun: boolean; readonly isMissing: boolean },
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { timers, partitions } = open
  const isComplete = !isMissing && (await timers.completeness({ signal })) === 'complete'
  // While none was lost, those that are due are handled, and those of the last commits may not be set yet.
  const isCarried = isComplete ? await carriedBy(open, signal) : () => true
  const known = isMissing ? noTimers : timers
  const overdueSince = isComplete ? Date.now() : 0
  let count = 0
  for await (const timer of missingTimers({
    ...open,
    timers: known,
    partitions,
    overdueSince,
    isCarried,
    signal,
  })) {
    count++
    if (!dryRun) await timers.set(timer, { signal })
  }
  if (!dryRun && !isComplete) await timers.setComplete({ signal })
  if (count === 0) return
  const text = count === 1 ? '1 timer is' : `${count} timers are`
  const action = `set ${count === 1 ? 'it' : 'them'} again from the log`
  await report({ place: timers.place, problem: `${text} missing`, action })
}

const noTimers = {
  async *list() {},
  due: { async *read() {} },
}

/** Whether the courier has set the timers of a commit. */
async function carriedBy(
  { documents, partitions }: OpenNamespace,
  signal: AbortSignal,
): Promise<(actor: { type: string; id: string }, position: number) => boolean> {
  try {
    const progress = await readProgress({ documents, partitions }, [courierGroup], signal)
    const waiting = new Set(progress.deferred.map(({ key }) => key))
    return (actor, position) =>
      position <= (progress.floors[partitionOf(actor, partitions)] ?? 0) &&
      !waiting.has(formatAddress(actor))
  } catch (error) {
    if (!isCairnError(error, 'foreign-stream')) throw error
    return () => false
  }
}
