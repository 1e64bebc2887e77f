// How much memory a process has taken, as Linux counts it.

import { readFile, writeFile } from 'node:fs/promises'

/** MiB that a process has held at most, since its start or since {@link forgetPeak}. */
export async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? []
  if (kib === undefined) throw new Error(`/proc/${pid}/status tells no VmHWM`)
  return Math.round(Number(kib) / 1024)
}

/** MiB of its own that a process holds now: without the pages of files, which the system takes back when it needs them. */
export async function ownMemoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const [, kib] = /^RssAnon:\s+(\d+) kB$/m.exec(status) ?? []
  if (kib === undefined) throw new Error(`/proc/${pid}/status tells no RssAnon`)
  return Math.round(Number(kib) / 1024)
}

/** From now on the peak is of what comes. */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}
