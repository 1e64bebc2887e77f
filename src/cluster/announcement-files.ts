// Announcements: small JSON files, one per node, with which processes of one machine find each other.

import { readdir, readFile, rm } from 'node:fs/promises'

import { readJsonObject } from '../local/private-json.js'

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
  const read = (await readJsonObject(path)) as Partial<Announcement> | undefined
  return read !== undefined && isValid(read) ? (read as Announcement) : undefined
}

/** Removes an announcement, unless it has been replaced since it was read. */
export async function removeAnnouncement(path: string, read: object): Promise<void> {
  try {
    // Both were parsed from what `writePrivateJson` wrote, so equal ones have equal texts.
    const text = JSON.stringify(JSON.parse(await readFile(path, 'utf8')))
    if (text !== JSON.stringify(read)) return
  } catch {
    return // It is gone, or not an announcement.
  }
  await rm(path, { force: true })
}
