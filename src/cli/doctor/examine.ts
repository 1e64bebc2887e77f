// All checks of the doctor, one after another. They read; nothing is changed.

import { statfs } from 'node:fs/promises'
import { basename, resolve } from 'node:path'

import type { AnyActorDefinition } from '../../actor/definition.js'
import type { Backend } from '../../backend/backend.js'
import { type CairnError, isCairnError } from '../../model/errors.js'
import { programs } from '../../model/programs.js'
import { Connection } from '../../nats/connection.js'
import type { NatsOptions } from '../../nats/options.js'
import { isChecked, isKnown } from '../../store/lmdb/file-state.js'
import { filePath } from '../../store/lmdb/file.js'
import { joined } from '../members.js'
import {
  examineDocuments,
  examineGroups,
  examineProjections,
  examineQueues,
} from './beside.js'
import type { Finding } from './finding.js'
import { examineLog, examineStates } from './log.js'
import { examineServer } from './server.js'

export interface Examined {
  readonly backend: Backend
  readonly namespace: string
  readonly nodeId: string
  /** On NATS: how to connect. */
  readonly nats?: NatsOptions
  /** Embedded: the directory. */
  readonly dir?: string
  /** Whose histories are folded. */
  readonly definitions: readonly AnyActorDefinition[]
  /** Commits of the log that are read, at most. */
  readonly limit: number
  readonly signal: AbortSignal
  readonly onProgress: (text: string) => void
}

export async function* examine(examined: Examined): AsyncGenerator<Finding> {
  const { namespace, nodeId, nats, dir, signal, onProgress } = examined
  const known = new Set<string>()
  if (nats !== undefined) {
    onProgress('asking the server')
    try {
      const connection = await Connection.open(nats, namespace, nodeId)
      try {
        yield* examineServer(connection, namespace, signal)
      } finally {
        await connection.close()
      }
    } catch (error) {
      if (!isFault(error)) throw error
      known.add(error.code)
      yield fromError('server', error)
    }
  }
  if (dir !== undefined) {
    yield* diskFindings(dir, await freeBytes(dir))
    yield* fileFindings(filePath(resolve(dir), namespace))
  }
  try {
    yield* examineContent(examined)
  } catch (error) {
    if (!isFault(error)) throw error
    if (!known.has(error.code)) yield fromError(`namespace ${namespace}`, error)
  }
}

async function* examineContent(examined: Examined): AsyncGenerator<Finding> {
  const { backend, namespace, nodeId, definitions, limit, signal, onProgress } = examined
  await using open = await backend.open({ namespace, nodeId, create: false })
  for (const { place, problem, state, text } of open.damage.list())
    if (state !== 'healed' && problem !== 'missing')
      yield {
        severity: 'critical',
        check: 'place-damaged',
        place,
        problem: `is ${problem}`,
        means: text,
        remedy: `Run "${programs.cairn} repair --dry-run".`,
      }
  const bounds = {
    signal,
    onProgress: (read: number) => onProgress(`${read} records read`),
  }
  yield* examineLog(open.store, { limit, now: Date.now(), ...bounds })
  yield* examineStates(open.store, definitions, bounds)
  const missing = new Set(open.damage.list().map(({ place }) => place))
  const has = (suffix: string) => ![...missing].some(place => place.endsWith(suffix))
  if (has('_GROUPS')) {
    yield* examineDocuments(open, signal)
    if (has('_VIEWS')) yield* examineProjections(open, signal)
  }
  const hasQueues = ['_INBOX', '_TOPICS', '_DLQ', '_TIMERS'].every(has)
  if (hasQueues) yield* examineQueues(open, signal)
  if (hasQueues && has('_GROUPS'))
    yield* await joined(open, signal, async membership => {
      const findings: Finding[] = []
      for await (const finding of examineGroups(open, membership, signal))
        findings.push(finding)
      return findings
    })
}

/** Errors that are findings: something is wrong where the doctor looks, and it could be reached. */
const faults = [
  'damaged-file',
  'foreign-directory',
  'foreign-stream',
  'no-jetstream',
  'unauthorized',
] as const

function isFault(error: unknown): error is CairnError {
  return faults.some(code => isCairnError(error, code))
}

function fromError(place: string, { code, message }: CairnError): Finding {
  return {
    severity: 'critical',
    check: code,
    place,
    problem: message,
    means:
      code === 'unauthorized'
        ? 'This user lacks a permission; the checks that need it were left out.'
        : 'No node can start with it; further checks were left out.',
    remedy: `See ${code} in docs/errors.md.`,
  }
}

const diskWatch = 1024 ** 3
const diskCritical = 100 * 1024 ** 2

async function freeBytes(dir: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(dir)
    return bavail * bsize
  } catch {
    return Infinity // There is no such directory: opening it says so.
  }
}

/** Before the file is opened: opening checks it, and notes that it is whole. */
async function* fileFindings(path: string): AsyncGenerator<Finding> {
  if (!(await isKnown(path)) || (await isChecked(path))) return
  yield {
    severity: 'watch',
    check: 'file-not-closed',
    place: basename(path),
    problem: 'is not as the last process closed it',
    means:
      'A process was killed, the power failed, or the file was changed or replaced. Acknowledged commits are kept; ' +
      'the file was checked page by page now, and more findings follow if it is damaged.',
    remedy:
      'Stop nodes with SIGTERM, and change or restore the file only while none runs.',
  }
}

export function* diskFindings(dir: string, free: number): Generator<Finding> {
  if (free >= diskWatch) return
  yield {
    severity: free < diskCritical ? 'critical' : 'watch',
    check: 'disk-near-full',
    place: dir,
    problem: `${Math.floor(free / 1024 ** 2)} MiB are free`,
    means: 'On a full disk nothing can be stored.',
    remedy: 'Make room, or move the directory.',
  }
}
