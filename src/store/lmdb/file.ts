// The file and directory of an embedded log, checked before LMDB opens the file.
//
// LMDB maps a file into memory and trusts its content. So its beginning is checked here whenever it is opened
// (check-file.ts), and a file of another kind is never written to.
//
// What Cairn creates is for its user alone, whatever the umask: the log is as confidential as its events.

import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import { CairnError, messageOf } from '../../model/errors.js'
import { checkStart } from './check-file.js'
import { foreignFile } from './errors.js'
import { isKnown, stateFolder } from './file-state.js'

/** Creates the directory if it is missing and returns its real path. */
export async function prepareDirectory(dir: string): Promise<string> {
  const path = resolve(dir)
  try {
    await makeDirectory(path)
    await refuseOpenDirectory(path)
    return await realpath(path)
  } catch (cause) {
    if (cause instanceof CairnError) throw cause
    const code = codeOf(cause)
    if (code === 'EEXIST' || code === 'ENOTDIR') throw notADirectory(path, cause)
    throw new CairnError(
      'storage-failed',
      `The data directory ${path} cannot be created: ${messageOf(cause)}. ` +
        'Check its permissions and the free space, or name another directory.',
      { cause, details: { path } },
    )
  }
}

/** Throws `foreign-directory` for a directory in which every user of the machine can replace files. */
async function refuseOpenDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const { mode } = await stat(path)
  // With the sticky bit, as in the system's temporary folder, only the owner of a file can.
  if ((mode & 0o002) === 0 || (mode & 0o1000) !== 0) return
  throw new CairnError(
    'foreign-directory',
    `${path} cannot be a data directory: every user of this machine can replace the files in it (its mode is ` +
      `${(mode & 0o7777).toString(8)}). Run "chmod o-w ${path}", or name a directory in it, which is then created for ` +
      'this user alone.',
    { details: { path, mode: mode & 0o7777 } },
  )
}

function notADirectory(path: string, cause: unknown): CairnError {
  return new CairnError(
    'foreign-directory',
    `${path} cannot be a data directory: it, or a path above it, is a file. Name another directory.`,
    { cause, details: { path } },
  )
}

/**
 * Creates a directory and its missing parents, each flushed into its own parent. The recursive
 * `mkdir` of Node never returns on file systems that accept no directories.
 */
async function makeDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return
  const parent = dirname(path)
  if (parent !== path) await makeDirectory(parent)
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    // Another process may have created it meanwhile.
    if (codeOf(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
  }
  await flushDirectory(parent)
}

/** The path of a namespace's file. */
export function filePath(realDir: string, namespace: string): string {
  return join(realDir, `${namespace}.lmdb`)
}

/** Removes the files of a namespace: its data, its lock, and what its nodes have announced. */
export async function removeFiles(dir: string, namespace: string): Promise<void> {
  const path = filePath(resolve(dir), namespace)
  const beside = ['state', 'members', 'nodes'].map(part =>
    join(resolve(dir), `${namespace}.${part}`),
  )
  for (const file of [...beside, path, `${path}-lock`])
    await rm(file, { recursive: true, force: true })
}

/** The namespaces with a file in the directory; none when the directory does not exist. */
export async function namespacesIn(dir: string): Promise<string[]> {
  const path = resolve(dir)
  try {
    const names = await readdir(path)
    return names.filter(name => name.endsWith('.lmdb')).map(name => name.slice(0, -5))
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return []
    if (code === 'ENOTDIR') throw notADirectory(path, error)
    throw new CairnError(
      'storage-failed',
      `The data directory ${dir} cannot be read: ${messageOf(error)}. Check its permissions.`,
      { cause: error },
    )
  }
}

/**
 * Whether the file exists or has to be created. Throws `damaged-file` when it was Cairn's and is not whole,
 * `foreign-directory` when it is not an LMDB environment of the format in use, `storage-failed` when it cannot be read.
 */
export async function inspectFile(path: string): Promise<'absent' | 'environment'> {
  try {
    // Looked at first: opening a pipe waits for its other end.
    const found = await lstat(path)
    if (found.isSymbolicLink())
      throw foreignFile(
        path,
        'it is a link, and beside it there would be a second lock of the file that it leads to. Name the directory of that file',
      )
    if (!found.isFile())
      throw foreignFile(
        path,
        found.isDirectory() ? 'it is a directory' : 'it is not a file',
      )
    await checkStart(path)
    return 'environment'
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') {
      if (await isKnown(path)) throw missingFile(path)
      return 'absent'
    }
    if (cause instanceof CairnError) throw cause
    throw new CairnError(
      'storage-failed',
      `${path} cannot be read: ${messageOf(cause)}. Check its permissions and the health of its disk.`,
      { cause, details: { path } },
    )
  }
}

function missingFile(path: string): CairnError {
  return new CairnError(
    'damaged-file',
    `${path} is missing, and was there before. Nothing was created in its place. Restore it from a backup, or, if it was ` +
      `removed on purpose, remove ${stateFolder(path)} too.`,
    { details: { path } },
  )
}

/** Flushes a directory, so that its entries survive a power failure. */
export async function flushDirectory(path: string): Promise<void> {
  // Windows cannot flush a directory, and does not need it.
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Gives a new file its name, unless another process was first; returns whether it did. Nobody sees a file under its name
 * before it is whole.
 */
export async function publishFile(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    if (!noLinks.includes(String(codeOf(error)))) throw error
  }
  // A file system without links: of those that create it, one gets the name.
  try {
    await (await open(path, 'wx', 0o600)).close()
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
  await rename(draft, path)
  return true
}

const noLinks = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

/** Takes the rights of others from a file of this user. Of another user's file nothing is changed. */
export async function keepPrivate(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const { uid, mode } = await stat(path)
  if (uid === process.getuid?.() && (mode & 0o077) !== 0) await chmod(path, mode & 0o700)
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error
    ? error.code
    : undefined
}
