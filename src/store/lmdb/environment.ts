// One open LMDB environment: a namespace's file, shared by every store of this process that
// is open on it.
//
// Owns the registry of open files, the one thing here that is the process's and not a
// store's. LMDB demands it: a file must be open once in a process, and a second handle
// would wait in this thread for a write lock that only this thread can give back.
//
// E1. A file is open once in this process, from the first user's acquire to the last one's
//     release; who acquires while it is being closed waits for that and opens it again.
// E2. Nothing is written to a file before it is known to be ours or empty.
// E3. The meta record is written once, by whoever creates the file; all others read it.

import { dirname } from 'node:path'

import { open, type RootDatabase } from 'lmdb'

import { wireVersion } from '../../codec/envelope.js'
import { CairnError, messageOf } from '../../model/errors.js'
import { newId } from '../../model/id.js'
import { defaultPartitions } from '../../model/partition.js'
import { withTimeout } from '../../model/wait.js'
import {
  filePath,
  flushDirectory,
  foreignFile,
  inspectFile,
  prepareDirectory,
} from './file.js'
import { layoutVersion, metaKey } from './layout.js'
import { SideTables } from './side-tables.js'
import { type Table, Tables } from './tables.js'
import { ReadModelTables } from './read-model-tables.js'
import { Watch } from './watch.js'
import { Writer } from './writer.js'

/** What a file says about itself. */
export interface EnvironmentMeta {
  readonly format: 'cairn'
  readonly layout: number
  readonly wire: number
  readonly namespace: string
  /** Unique per creation: positions of another generation mean something else. */
  readonly generation: string
  readonly createdAt: string
  readonly partitions: number
}

export interface Environment {
  readonly path: string
  readonly meta: EnvironmentMeta
  readonly root: RootDatabase<Buffer, Buffer>
  readonly tables: Tables
  readonly side: SideTables
  readonly views: ReadModelTables
  readonly writer: Writer
  readonly watch: Watch
}

interface Shared {
  readonly environment: Promise<Environment>
  users: number
  closed: Promise<void> | undefined
}

const registry = new Map<string, Shared>()

const tableNames = ['meta', 'log', 'heads', 'index', 'queues', 'documents', 'views']
const closeTimeout = 10_000
const binary = { encoding: 'binary', keyEncoding: 'binary' } as const

/** Opens a namespace's environment, or joins the users of the open one (E1). */
export async function acquireEnvironment(
  dir: string,
  namespace: string,
): Promise<Environment> {
  const path = filePath(await prepareDirectory(dir), namespace)
  let shared = registry.get(path)
  while (shared?.closed !== undefined) {
    await shared.closed
    shared = registry.get(path)
  }
  if (shared === undefined) {
    shared = {
      environment: openEnvironment(path, namespace),
      users: 0,
      closed: undefined,
    }
    registry.set(path, shared)
  }
  shared.users++
  try {
    return await shared.environment
  } catch (error) {
    if (--shared.users === 0) registry.delete(path)
    throw error
  }
}

/** Gives back what `acquireEnvironment` gave; the last user closes the file. */
export async function releaseEnvironment({ path }: Environment): Promise<void> {
  const shared = registry.get(path)
  if (shared === undefined || --shared.users > 0) return
  shared.closed = closeEnvironment(await shared.environment).finally(() => {
    registry.delete(path)
  })
  await shared.closed
}

async function closeEnvironment(environment: Environment): Promise<void> {
  const { root, side, views, watch, path } = environment
  watch.close()
  side.close()
  views.close()
  await withTimeout(
    root.close(),
    closeTimeout,
    () =>
      new CairnError(
        'deadline-exceeded',
        `${path} could not be closed within ${closeTimeout} ms: another process holds its write lock. ` +
          'What was acknowledged is stored.',
        { details: { path } },
      ),
  )
}

async function openEnvironment(path: string, namespace: string): Promise<Environment> {
  const found = await inspectFile(path) // E2
  let root: RootDatabase<Buffer, Buffer> | undefined
  try {
    // Not overlapping: with it on, readers see commits that are not flushed yet, and it is
    // no faster here. Off, a commit is visible, and its promise resolved, once fdatasync
    // has returned for the data and again for the page that names it.
    root = open<Buffer, Buffer>(path, {
      ...binary,
      noSubdir: true,
      overlappingSync: false,
      // The writer batches by itself; with it on, a failed commit also rejects a promise
      // that nobody can reach.
      eventTurnBatching: false,
      maxDbs: 8,
    })
    const meta = adoptOrCreate(root, path, namespace)
    if (found === 'absent') await flushDirectory(dirname(path))
    const table = (name: string): Table => root!.openDB(name, binary)
    const tables = new Tables({
      root,
      log: table('log'),
      heads: table('heads'),
      index: table('index'),
    })
    const side = new SideTables(root, table('queues'), table('documents'), path)
    const views = new ReadModelTables(root, table('views'), path)
    const watch = new Watch(() => tables.refresh().lastPosition())
    const writer = new Writer({ path, root, tables, ring: at => watch.ring(at) })
    return { path, meta, root, tables, side, views, writer, watch }
  } catch (cause) {
    await root?.close()
    if (cause instanceof CairnError) throw cause
    throw new CairnError(
      'storage-failed',
      `${path} cannot be opened: ${messageOf(cause)}. ` +
        'Check the permissions of the file and its directory, and the space left.',
      { cause, details: { path } },
    )
  }
}

/** E2 and E3. */
function adoptOrCreate(
  root: RootDatabase<Buffer, Buffer>,
  path: string,
  namespace: string,
): EnvironmentMeta {
  const keys = [...root.getKeys({ limit: tableNames.length + 1 })]
  // This LMDB ends the names of tables with a zero byte.
  const names = keys.map(key => key.toString().replace(/\0$/, ''))
  // Tables are created one by one, meta first: a creator that died in between left some.
  if (names.some(name => !tableNames.includes(name)))
    throw foreignFile(path, 'it is an LMDB environment of another program')
  if (names.length > 0 && !names.includes('meta'))
    throw foreignFile(path, 'it is an LMDB environment without a meta table')
  const table: Table = root.openDB('meta', binary)
  const found = table.get(metaKey)
  if (found !== undefined) return checkMeta(found, path, namespace)
  if (table.getKeysCount({ limit: 1 }) > 0)
    throw foreignFile(path, 'its meta table does not say that it is one')
  const stored = table.transactionSync(() => {
    const other = table.get(metaKey)
    if (other !== undefined) return other
    const meta = Buffer.from(JSON.stringify(newMeta(namespace)))
    table.putSync(metaKey, meta)
    return meta
  })
  return checkMeta(stored, path, namespace)
}

function newMeta(namespace: string): EnvironmentMeta {
  return {
    format: 'cairn',
    layout: layoutVersion,
    wire: wireVersion,
    namespace,
    generation: newId(),
    createdAt: new Date().toISOString(),
    partitions: defaultPartitions,
  }
}

function checkMeta(stored: Buffer, path: string, namespace: string): EnvironmentMeta {
  let meta: Partial<EnvironmentMeta> | null
  try {
    meta = JSON.parse(stored.toString()) as Partial<EnvironmentMeta> | null
  } catch {
    throw foreignFile(path, 'its meta record cannot be read')
  }
  if (meta?.format !== 'cairn')
    throw foreignFile(path, 'its meta record does not say that it is one')
  if (meta.namespace !== namespace)
    throw foreignFile(
      path,
      `it holds namespace ${meta.namespace}, whatever it is called, and not ${namespace}`,
    )
  if (meta.layout !== layoutVersion || meta.wire !== wireVersion)
    throw new CairnError(
      'foreign-directory',
      `${path} was written by another version of Cairn, with layout ${meta.layout} and wire version ` +
        `${meta.wire}; this build reads ${layoutVersion} and ${wireVersion}. Nothing was written to it. ` +
        'Use the version that wrote it, or name another directory.',
      { details: { path, layout: meta.layout, wire: meta.wire } },
    )
  return meta as EnvironmentMeta
}
