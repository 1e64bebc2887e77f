// Checks an embedded file that no process has open: its pages, the checksums of its entries, and whether its tables
// belong together.
//
// CHECK-FILE-1. The file is read, and never mapped or written (PAGE-WALK-1). A file that a process opens meanwhile is
//     changed under this reader, and is not judged: that process has checked it.
// CHECK-FILE-2. The event loop is free at least every 20 ms.

import type { CairnError } from '../../model/errors.js'
import { pause } from '../../model/wait.js'
import { withoutChecksum } from './checksum.js'
import { damagedFile, foreignFile, nameOfEntry } from './errors.js'
import { isChecked } from './file-state.js'
import {
  decodeHead,
  decodeRun,
  layoutWithChecksums,
  parseIndexKey,
  parsePositionKey,
} from './layout.js'
import { checkNamespaceOf, decodeMeta, type EnvironmentMeta } from './meta.js'
import { canReadPages, newestOf, PageFile } from './page-file.js'
import { PageFault, PageWalk } from './page-walk.js'

/** An entry that does not match its checksum. */
export interface DamagedEntry {
  readonly table: string
  readonly key: Buffer
}

export interface FileReport {
  readonly meta: EnvironmentMeta
  readonly records: number
  readonly damaged: readonly DamagedEntry[]
}

/** Damaged entries that are listed, at most. */
const damagedMax = 10_000
/** Milliseconds of work without a pause. */
const workMax = 20
/** A file that changes while it is read is read again so often. */
const attemptsMax = 5

/**
 * Checks a file. Returns `undefined` if a process has it open, if it has no entries yet, or if its pages cannot be checked on
 * this machine. Throws `damaged-file` if its pages or its tables are damaged, `foreign-directory` if it is not Cairn's.
 */
export async function checkFile(
  path: string,
  namespace: string,
): Promise<FileReport | undefined> {
  if (!canReadPages) return undefined
  for (let attempt = 1; ; attempt++) {
    const file = await PageFile.open(path)
    try {
      const metas = file.metas()
      if ('kind' in metas) throw faultOf(path, metas)
      const meta = newestOf(metas)
      try {
        return await walk(path, namespace, new PageWalk(file, meta))
      } catch (error) {
        if (await isChecked(path)) return undefined // CHECK-FILE-1.
        const again = file.metas()
        const isChanged =
          !('kind' in again) && newestOf(again).transaction !== meta.transaction
        if (isChanged && attempt < attemptsMax) continue
        if (error instanceof PageFault) throw damagedFile(path, error.message)
        throw error
      }
    } finally {
      await file.close()
    }
  }
}

/** Checks the beginning of a file. Throws `damaged-file` or `foreign-directory`. */
export async function checkStart(path: string): Promise<void> {
  const file = await PageFile.open(path)
  try {
    if (file.size === 0)
      throw damagedFile(
        path,
        'it is empty, and a file of Cairn never is. If nothing was ever stored in this namespace, remove the file',
      )
    const metas = file.metas()
    if ('kind' in metas) throw faultOf(path, metas)
  } finally {
    await file.close()
  }
}

function faultOf(
  path: string,
  { kind, why }: { readonly kind: 'foreign' | 'damaged'; readonly why: string },
): CairnError {
  return kind === 'foreign' ? foreignFile(path, why) : damagedFile(path, why)
}

async function walk(
  path: string,
  namespace: string,
  pages: PageWalk,
): Promise<FileReport | undefined> {
  const damaged: DamagedEntry[] = []
  const counts: Record<string, number> = {}
  let meta: EnvironmentMeta | undefined
  let indexed = 0
  let isIndexWhole = true
  let paused = performance.now()
  for (const { table, key, value } of pages.entries()) {
    const count = (counts[table] = (counts[table] ?? 0) + 1)
    if (table === 'meta') {
      meta = decodeMeta(value, path)
      checkNamespaceOf(meta, path, namespace)
      continue
    }
    if (meta === undefined) throw foreignFile(path, 'it has no meta record')
    if (table === 'log' && (key.length !== 8 || parsePositionKey(key) !== count))
      throw damagedFile(path, `record ${count} of the log is missing`, {
        position: count,
      })
    const whole = meta.layout < layoutWithChecksums ? value : withoutChecksum(key, value)
    if (whole !== undefined) indexed += indexEntriesIn(table, key, whole, meta.layout)
    else {
      if (isIndex(table)) isIndexWhole = false
      if (damaged.length < damagedMax) damaged.push({ table, key: Buffer.from(key) })
    }
    if (performance.now() - paused < workMax) continue
    await pause(0)
    paused = performance.now() // CHECK-FILE-2.
  }
  // Earlier builds created a file step by step: one that died in between left no entries.
  if (meta === undefined) return undefined
  const records = counts['log'] ?? 0
  if (isIndexWhole && indexed !== records)
    throw damagedFile(path, `its log has ${records} records, and its index ${indexed}`)
  return { meta, records, damaged }
}

function isIndex(table: string): boolean {
  return table === 'heads' || table === 'index'
}

const noHead = { version: 0, position: 0, run: undefined }

/** How many entries of an actor's index an entry of a table holds. */
function indexEntriesIn(
  table: string,
  key: Buffer,
  value: Buffer,
  layout: number,
): number {
  try {
    if (table === 'index') return decodeRun(parseIndexKey(key), value).length
    const { run, ...last } = table === 'heads' ? decodeHead(value, layout) : noHead
    return run === undefined ? 0 : decodeRun(last, run).length
  } catch {
    return 0 // Its checksum is right, and it is no entry: the sum tells.
  }
}

/** Whether a damaged entry is noticed by whoever needs it, and nobody else. */
export function isNoticedByReader({ table }: DamagedEntry): boolean {
  return table === 'log' || table === 'documents' || table === 'views'
}

/** Throws `damaged-file` for damage that concerns more than the one who reads the entry. */
export function refuseDamaged(path: string, { damaged }: FileReport): void {
  const [first, ...others] = damaged.filter(entry => !isNoticedByReader(entry))
  if (first === undefined) return
  const more = others.length === 0 ? '' : `, and ${others.length} more like it`
  throw damagedFile(
    path,
    `${nameOfEntry(first.table, first.key)} does not match its checksum${more}`,
    { table: first.table, key: first.key.toString('hex') },
  )
}
