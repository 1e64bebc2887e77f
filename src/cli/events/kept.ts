// The catalogue as a file of this machine, so that the next call reads only what is new. It is a cache: whatever is wrong with it,
// the log is read again. Nothing is kept on the server, where reading creates nothing.

import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

import { newId } from '../../model/id.js'
import type { EventStore } from '../../store/event-store/event-store.js'
import type { KeptCatalogue } from './catalogue.js'

/** Raised when the form of the file changes. */
const form = 1

/** Where the catalogue of a namespace is kept, unless a file is named. */
export function keptFile(namespace: string, place: string): string {
  const { XDG_CACHE_HOME: cache = join(homedir(), '.cache') } = process.env
  const of = createHash('sha256').update(place).digest('hex').slice(0, 16)
  return join(cache, 'cairn', 'events', `${namespace}-${of}.json`)
}

/** What is kept, if it is of this log; `undefined` otherwise. */
export async function readKept(
  file: string,
  store: Pick<EventStore, 'readAll' | 'namespace'>,
  signal: AbortSignal,
): Promise<KeptCatalogue | undefined> {
  let kept: KeptCatalogue & { readonly form?: unknown; readonly namespace?: unknown }
  try {
    kept = JSON.parse(await readFile(file, 'utf8')) as typeof kept
    if (kept.form !== form || kept.namespace !== store.namespace) return undefined
    if (!Array.isArray(kept.entries) || !(kept.position > 0)) return undefined
  } catch {
    return undefined
  }
  const { position, commitId } = kept
  for await (const record of store.readAll({ after: position - 1, limit: 1, signal })) {
    const isSame = record.position === position
    const id = record.kind === 'commit' ? record.id : ''
    return isSame && id === commitId ? kept : undefined
  }
  return undefined
}

/** Keeps it; a file that exists is replaced as a whole. Throws what the file system does. */
export async function writeKept(
  file: string,
  namespace: string,
  kept: KeptCatalogue,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${newId()}`
  try {
    await writeFile(fresh, JSON.stringify({ form, namespace, ...kept }), { mode: 0o600 })
    await rename(fresh, file)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}
