// What a process uses, as Linux counts it.

import { readdir, readFile } from 'node:fs/promises'

/** Undefined for a process that has ended, and where there is no /proc. */
export async function resourcesOf(
  pid: number,
): Promise<{ rss: number; files: number } | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
    if (kibibytes === undefined) return undefined
    const { length } = await readdir(`/proc/${pid}/fd`)
    return { rss: Number(kibibytes) * 1024, files: length }
  } catch {
    return undefined
  }
}
