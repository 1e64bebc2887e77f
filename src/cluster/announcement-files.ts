// Announcements: small JSON files, one per node, with which processes of one machine find each other.

import { randomUUID } from 'node:crypto'
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { dirname } from 'node:path'

/** A node's announcement is smaller: some names. */
const bytesMax = 1024 * 1024

/** Writes a temporary file and renames it, so that a reader never sees half an announcement. */
export async function writeAnnouncement(
  path: string,
  announcement: object,
): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // It may be one of an earlier build. Another user's folder stays as it is.
  await chmod(folder, 0o700).catch(() => {})
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(announcement), { mode: 0o600 })
  await rename(draft, path)
}

/** The names of the announcement files in a folder. */
export async function listAnnouncements(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(name => name.endsWith('.json'))
  } catch {
    return [] // No node has used the folder yet.
  }
}

/** Reads an announcement; `undefined` if `isValid` rejects it, or if the node has just removed it. */
export async function readAnnouncement<Announcement>(
  path: string,
  isValid: (announcement: Partial<Announcement>) => boolean,
): Promise<Announcement | undefined> {
  try {
    const found = await stat(path)
    // Reading a pipe would wait for its other end.
    if (!found.isFile() || found.size > bytesMax) return undefined
    const read = JSON.parse(await readFile(path, 'utf8')) as Partial<Announcement> | null
    return read !== null && isValid(read) ? (read as Announcement) : undefined
  } catch {
    return undefined
  }
}

/** Removes an announcement, unless it has been replaced since it was read. */
export async function removeAnnouncement(path: string, read: object): Promise<void> {
  try {
    // Both were parsed from what `writeAnnouncement` wrote, so equal ones have equal texts.
    const text = JSON.stringify(JSON.parse(await readFile(path, 'utf8')))
    if (text !== JSON.stringify(read)) return
  } catch {
    return // It is gone, or not an announcement.
  }
  await rm(path, { force: true })
}

/** Whether a process of this machine has the id. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
