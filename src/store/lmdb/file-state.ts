// What is known of an embedded file between the processes that open it: who has it open, and how it was left.
//
//     <namespace>.state/closed.json      the file's identity when the last process closed it
//     <namespace>.state/<id>.open        one for each process that has it open
//
// A file that is as it was left, or that a living process has open, has been checked. Any other one is checked before it is
// opened: after the death of a process, a power failure, or a change from outside.
//
// FILE-STATE-1. A mark counts only for the file that it was made for, and while its process lives: a copy of a directory
//     is not in use.
// FILE-STATE-2. What cannot be read or written here costs a check at the next opening, and nothing else.

import { randomUUID } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { readJsonObject, writePrivateJson } from '../../local/private-json.js'
import { isRunning } from '../../local/processes.js'

/** Tells a file that was changed or replaced from the one that it was. */
interface Identity {
  readonly device: string
  readonly inode: string
  readonly size: string
  readonly modified: string
  readonly changed: string
}

interface OpenMark {
  readonly pid: number
  /** When the process started; a process that got its id later has another. */
  readonly started: string
  readonly device: string
  readonly inode: string
}

/** The folder of a file's state. */
export function stateFolder(path: string): string {
  return join(dirname(path), `${basename(path, '.lmdb')}.state`)
}

/** Whether a file is known to have existed here. */
export async function isKnown(path: string): Promise<boolean> {
  return (await readJsonObject(join(stateFolder(path), 'closed.json'))) !== undefined
}

/** Whether the file is as it was left by the last process that closed it, or a living process has it open. */
export async function isChecked(path: string): Promise<boolean> {
  const now = await identityOf(path)
  if (now === undefined) return false
  const left = (await readJsonObject(join(stateFolder(path), 'closed.json'))) as
    Identity | undefined
  const isAsLeft =
    left !== undefined &&
    (Object.keys(now) as (keyof Identity)[]).every(field => left[field] === now[field])
  return isAsLeft || (await marksOf(path, now)).some(mark => isAlive(mark))
}

/** Notes that this process has the file open. Call the result once it is closed. */
export async function markOpen(path: string): Promise<() => Promise<void>> {
  const folder = stateFolder(path)
  const mark = join(folder, `${randomUUID()}.open`)
  const identity = await identityOf(path)
  if (identity === undefined) return async () => {}
  const { device, inode } = identity
  const content = { pid: process.pid, started: startOf(process.pid), device, inode }
  await tolerate(async () => {
    await removeDead(path, identity)
    await writePrivateJson(mark, content)
  })
  return async () => {
    await tolerate(() => rm(mark, { force: true }))
    await tolerate(async () => {
      const now = await identityOf(path)
      if (now === undefined || (await marksOf(path, now)).some(isAlive)) return
      await writePrivateJson(join(folder, 'closed.json'), now)
    })
  }
}

/** Notes that the file exists, so that its loss is noticed. */
export async function markCreated(path: string): Promise<void> {
  await tolerate(async () => {
    const folder = stateFolder(path)
    const identity = await identityOf(path)
    if (identity === undefined || (await isKnown(path))) return
    // It is not as it was left: it is in use now.
    await writePrivateJson(join(folder, 'closed.json'), { ...identity, changed: '0' })
  })
}

async function removeDead(path: string, identity: Identity): Promise<void> {
  const folder = stateFolder(path)
  for (const name of await marksIn(folder)) {
    const mark = (await readJsonObject(join(folder, name))) as OpenMark | undefined
    if (mark !== undefined && isOf(mark, identity) && isAlive(mark)) continue
    await rm(join(folder, name), { force: true })
  }
}

async function marksOf(path: string, identity: Identity): Promise<OpenMark[]> {
  const folder = stateFolder(path)
  const names = await marksIn(folder)
  const read = await Promise.all(
    names.map(
      name => readJsonObject(join(folder, name)) as Promise<OpenMark | undefined>,
    ),
  )
  return read.filter(
    (mark): mark is OpenMark => mark !== undefined && isOf(mark, identity),
  )
}

async function marksIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter(name => name.endsWith('.open'))
}

/** FILE-STATE-1. */
function isOf(mark: OpenMark, { device, inode }: Identity): boolean {
  return mark.device === device && mark.inode === inode
}

function isAlive({ pid, started }: OpenMark): boolean {
  if (!Number.isSafeInteger(pid) || pid < 1) return false
  return isRunning(pid) && startOf(pid) === started
}

/** When a process started, where the system tells. */
function startOf(pid: number): string {
  if (process.platform !== 'linux') return ''
  try {
    // The name of the program, in parentheses, may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .split(') ')
      .at(-1)!
      .split(' ')
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    return `${boot} ${fields[19]}`
  } catch {
    return ''
  }
}

async function identityOf(path: string): Promise<Identity | undefined> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return {
      device: String(dev),
      inode: String(ino),
      size: String(size),
      modified: String(mtimeNs),
      changed: String(ctimeNs),
    }
  } catch {
    return undefined
  }
}

/** FILE-STATE-2. */
async function tolerate(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch {
    // A folder that is read-only, full or gone.
  }
}
