// Small JSON files of this user, with which processes of one machine tell each other something.

import { randomUUID } from 'node:crypto'
import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What Cairn writes is far smaller. */
const bytesMax = 1024 * 1024

/**
 * Writes a file that only this user can read, and makes its folder. It is written under another name and renamed, so that
 * a reader never sees half of it.
 */
export async function writePrivateJson(path: string, content: object): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // It may be one of an earlier build. Another user's folder stays as it is.
  await chmod(folder, 0o700).catch(() => {})
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(content), { mode: 0o600 })
  await rename(draft, path)
}

/** The object in a file; `undefined` if there is none that can be read. */
export async function readJsonObject(path: string): Promise<object | undefined> {
  try {
    const found = await stat(path)
    // Reading a pipe would wait for its other end.
    if (!found.isFile() || found.size > bytesMax) return undefined
    const read = JSON.parse(await readFile(path, 'utf8')) as unknown
    return typeof read === 'object' && read !== null ? read : undefined
  } catch {
    return undefined
  }
}
