// Announcements: small JSON files, one per node, with which processes of one machine find each other.

import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes a temporary file and renames it, so that a reader never sees half an announcement. */
export async function writeAnnouncement(
  path: string,
  announcement: object,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(announcement))
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
    const read = JSON.parse(await readFile(path, 'utf8')) as Partial<Announcement> | null
    return read !== null && isValid(read) ? (read as Announcement) : undefined
  } catch {
    return undefined
  }
}
