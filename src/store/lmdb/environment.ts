// One open LMDB environment: the file of a namespace, shared by every store that this process
// has open on it.
//
// Owns the registry of open files, the only state here that belongs to the process and not to a
// store. LMDB demands it: a process must open a file once, because a second handle would wait in
// this thread for a write lock that only this thread can release.
//
// LMDB-ENV-1. A file is open once in this process, from the first acquire to the last release. An
//     acquire during the close waits for it to end, then opens the file again.
// LMDB-ENV-2. Nothing is written to a file before it is known to be Cairn's or empty.
// LMDB-ENV-3. The meta record is written once, by the process that creates the file. The file gets its name when it is
//     whole and flushed, so an empty or short one is a damaged one.
// LMDB-ENV-4. A file is opened again when its locks were unusable: the last process to close a file
//     destroys them, and one that opens it in that moment does not make new ones. They stay so
//     until no process has the file open.
// LMDB-ENV-5. A file is opened only if it is as it was left, if a living process has it open, or if all of its pages have
//     been checked.

import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'

import { type Database, openAsClass, type RootDatabase } from 'lmdb'

import { CairnError, messageOf } from '../../model/errors.js'
import { newId } from '../../model/id.js'
import { pause, withTimeout } from '../../model/wait.js'
import { OwnCommits } from '../event-store/own-commits.js'
import { checkFile, type DamagedEntry, refuseDamaged } from './check-file.js'
import { DocumentTable } from './document-table.js'
import { foreignFile } from './errors.js'
import {
  filePath,
  flushDirectory,
  inspectFile,
  keepPrivate,
  prepareDirectory,
  publishFile,
} from './file.js'
import { isChecked, markCreated, markOpen } from './file-state.js'
import { metaKey } from './layout.js'
import { LogTables } from './log-tables.js'
import { LogWriter } from './log-writer.js'
import {
  checkNamespaceOf,
  decodeMeta,
  encodeMeta,
  type EnvironmentMeta,
  newMeta,
} from './meta.js'
import { PositionWatcher } from './position-watcher.js'
import { QueueTable } from './queue-table.js'
import { ReadModelTable } from './read-model-table.js'
import { Table } from './table.js'
import { TableAccess } from './table-access.js'
import { Transactions } from './transactions.js'

export interface Environment {
  readonly path: string
  readonly meta: EnvironmentMeta
  readonly root: RootDatabase<Buffer, Buffer>
  readonly transactions: Transactions
  readonly log: LogTables
  /** Guards the tables beside the log. */
  readonly access: TableAccess
  readonly queues: QueueTable
  readonly documents: DocumentTable
  readonly readModels: ReadModelTable
  readonly writer: LogWriter
  readonly watcher: PositionWatcher
  readonly ownCommits: OwnCommits
  /** What the check at the opening found damaged, and left to its readers. */
  readonly damaged: readonly DamagedEntry[]
  /** Notes that this process does not have the file open any more. */
  readonly closed: () => Promise<void>
}

/** An open file and how many users it has. */
interface Shared {
  readonly environment: Promise<Environment>
  users: number
  closed: Promise<void> | undefined
}

const registry = new Map<string, Shared>()

const tableNames = [
  'meta',
  'log',
  'heads',
  'index',
  'queues',
  'documents',
  'views',
] as const
type TableName = (typeof tableNames)[number]

const openTimeout = 5_000
const openPauseMax = 20
const closeTimeout = 10_000
const binary = { encoding: 'binary', keyEncoding: 'binary' } as const

/** Opens a namespace's environment, or joins the users of the open one (LMDB-ENV-1). */
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

/** Releases an acquired environment; the last user closes the file. */
export async function releaseEnvironment({ path }: Environment): Promise<void> {
  const shared = registry.get(path)
  if (shared === undefined || --shared.users > 0) return
  shared.closed = closeEnvironment(await shared.environment).finally(() => {
    registry.delete(path)
  })
  await shared.closed
}

async function closeEnvironment(environment: Environment): Promise<void> {
  const { root, transactions, access, queues, watcher, path } = environment
  watcher.close()
  queues.close()
  access.close()
  await withTimeout(
    root.close(),
    closeTimeout,
    () =>
      new CairnError(
        'deadline-exceeded',
        `${path} could not be closed within ${closeTimeout} ms: another process holds its write lock. ` +
          'Everything acknowledged is stored.',
        { details: { path } },
      ),
  )
  transactions.close()
  await environment.closed()
}

/** LMDB-ENV-5. Returns the damage that is left to the readers. */
async function checkUnlessChecked(
  path: string,
  namespace: string,
): Promise<readonly DamagedEntry[]> {
  if (await isChecked(path)) return []
  const report = await checkFile(path, namespace)
  if (report === undefined) return []
  refuseDamaged(path, report)
  return report.damaged
}

/** LMDB-ENV-3. */
async function createFile(path: string, namespace: string): Promise<void> {
  const draft = `${path}.${newId()}.new`
  try {
    const root = await openRoot(draft)
    const transactions = new Transactions(root, draft)
    try {
      openTables(root, transactions, draft, namespace)
    } finally {
      await root.close()
      transactions.close()
    }
    await keepPrivate(draft)
    await publishFile(draft, path)
    await flushDirectory(dirname(path))
  } finally {
    for (const file of [draft, `${draft}-lock`]) await rm(file, { force: true })
  }
}

async function openEnvironment(path: string, namespace: string): Promise<Environment> {
  const found = await inspectFile(path) // LMDB-ENV-2
  let root: RootDatabase<Buffer, Buffer> | undefined
  let transactions: Transactions | undefined
  let closed: (() => Promise<void>) | undefined
  try {
    if (found === 'absent') await createFile(path, namespace)
    const damaged = found === 'absent' ? [] : await checkUnlessChecked(path, namespace)
    await keepPrivate(path)
    closed = await markOpen(path)
    root = await openRoot(path)
    await keepPrivate(`${path}-lock`)
    transactions = new Transactions(root, path)
    const { meta, tables } = openTables(root, transactions, path, namespace)
    await markCreated(path)
    const log = new LogTables({ path, root, ...tables, layout: meta.layout })
    const access = new TableAccess(root, transactions, path)
    const queues = new QueueTable(access, tables.queues)
    const documents = new DocumentTable(access, tables.documents)
    const readModels = new ReadModelTable(access, tables.views)
    const watcher = new PositionWatcher(() => log.refresh().lastPosition())
    const writer = new LogWriter({
      path,
      transactions,
      log,
      onStored: position => watcher.raise(position),
    })
    return {
      path,
      meta,
      root,
      transactions,
      log,
      access,
      queues,
      documents,
      readModels,
      writer,
      watcher,
      ownCommits: new OwnCommits(namespace),
      damaged,
      closed,
    }
  } catch (cause) {
    await root?.close()
    transactions?.close()
    await closed?.()
    if (cause instanceof CairnError) throw cause
    throw new CairnError(
      'storage-failed',
      `${path} cannot be opened: ${messageOf(cause)}. ` +
        'Check the permissions of the file and its directory, and the free space.',
      { cause, details: { path } },
    )
  }
}

/** LMDB-ENV-4. */
async function openRoot(path: string): Promise<RootDatabase<Buffer, Buffer>> {
  const deadline = Date.now() + openTimeout
  for (;;) {
    const opened = tryOpenRoot(path)
    if ('root' in opened) return opened.root
    if (Date.now() > deadline) throw opened.error
    // Of random length: of several that open it at once, one has to find it closed by all others.
    await pause(Math.random() * openPauseMax)
  }
}

type OpenedRoot =
  | { readonly root: RootDatabase<Buffer, Buffer> }
  /** Why LMDB opened the file, but no table in it. */
  | { readonly error: unknown }

/** What `openAsClass` returns; its declared type cannot be constructed. */
type RootClass = new (
  name: null,
  options: typeof binary & { readonly isRoot: true },
) => RootDatabase<Buffer, Buffer>

function tryOpenRoot(path: string): OpenedRoot {
  // Without overlapping sync: with it, readers see commits that are not flushed yet, and it is
  // no faster here. Without it, a commit becomes visible, and its promise resolves, once
  // fdatasync has returned for the data and again for the page that refers to it.
  const Root = openAsClass<Buffer, Buffer>({
    ...binary,
    path,
    noSubdir: true,
    overlappingSync: false,
    // LogWriter batches by itself. With turn batching, a failed commit also rejects a promise
    // that no code can reach.
    eventTurnBatching: false,
    maxDbs: 8,
  }) as unknown as RootClass
  try {
    return { root: new Root(null, { ...binary, isRoot: true }) }
  } catch (error) {
    // The file is open now, and only an instance can close it.
    const instance = Object.create(Root.prototype, { isRoot: { value: true } }) as object
    void (instance as RootDatabase).close()
    return { error }
  }
}

/** Opens the tables of a file, and creates what is missing, in one transaction. LMDB-ENV-2, LMDB-ENV-3. */
function openTables(
  root: RootDatabase<Buffer, Buffer>,
  transactions: Transactions,
  path: string,
  namespace: string,
): { meta: EnvironmentMeta; tables: Record<TableName, Table> } {
  return transactions.runSync(() => {
    const keys = [...root.getKeys({ limit: tableNames.length + 1 })]
    // The lmdb package ends the names of tables with a zero byte.
    const found = keys.map(key => key.toString().replace(/\0$/, ''))
    const known: readonly string[] = tableNames
    if (found.some(name => !known.includes(name)))
      throw foreignFile(path, 'it is an LMDB environment of another program')
    // Earlier versions created the tables one by one, meta first: one that died in between left only some.
    if (found.length > 0 && !found.includes('meta'))
      throw foreignFile(path, 'it is an LMDB environment without a meta table')
    const openTable = (name: TableName) => root.openDB<Buffer, Buffer>(name, binary)
    const meta = adoptOrCreate(openTable('meta'), path, namespace)
    const tables = Object.fromEntries(
      tableNames.map(name => [name, new Table(openTable(name), name, path, meta.layout)]),
    )
    return { meta, tables: tables as Record<TableName, Table> }
  })
}

/** Within a write transaction. The meta table is read without a checksum: it has its own. */
function adoptOrCreate(
  table: Database<Buffer, Buffer>,
  path: string,
  namespace: string,
): EnvironmentMeta {
  const found = table.get(metaKey)
  if (found !== undefined) {
    const meta = decodeMeta(found, path)
    checkNamespaceOf(meta, path, namespace)
    return meta
  }
  if (table.getKeysCount({ limit: 1 }) > 0)
    throw foreignFile(path, 'its meta table has no meta record')
  const meta = newMeta(namespace)
  table.putSync(metaKey, encodeMeta(meta))
  return meta
}
