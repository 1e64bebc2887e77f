// The file and directory of an embedded log, checked before LMDB opens the file.
//
// LMDB maps a file into memory and trusts its content. So the first bytes of the file are checked
// here, and a file of another kind is never written to.

import { mkdir, open, readdir, realpath, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import { CairnError, messageOf } from '../../model/errors.js'
import { pause } from '../../model/wait.js'
import { foreignFile } from './errors.js'

/** Offset of LMDB's magic number and format version: after the header of the first page. */
const magicOffset = 24
const magicOffsetOfFormat1 = 16
const magic = 0xbeefc0de
const formatVersion = 2
const smallestPage = 512
/** How long a file may stay too short, in ms: as long as another process may take to create it. */
const creationTimeout = 1_000
const creationPause = 10

/** Creates the directory if it is missing and returns its real path. */
export async function prepareDirectory(dir: string): Promise<string> {
  const path = resolve(dir)
  try {
    await makeDirectory(path)
    return await realpath(path)
  } catch (cause) {
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
    await mkdir(path)
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
  const beside = ['members', 'nodes'].map(part =>
    join(resolve(dir), `${namespace}.${part}`),
  )
  for (const file of [path, `${path}-lock`, ...beside])
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
 * Whether the file exists or has to be created. An empty file counts as absent: another process
 * may be creating it. Throws `foreign-directory` when it is not an LMDB environment of the format
 * in use, `storage-failed` when it cannot be read.
 */
export async function inspectFile(path: string): Promise<'absent' | 'environment'> {
  const deadline = Date.now() + creationTimeout
  for (;;) {
    const start = await readFileStart(path)
    if (start === undefined || start.bytes.length === 0) return 'absent'
    // A file that another process is creating grows page by page.
    if (isTooShort(start) && Date.now() < deadline) {
      await pause(creationPause)
      continue
    }
    const problem = findProblem(start)
    if (problem !== undefined) throw foreignFile(path, problem)
    return 'environment'
  }
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

interface FileStart {
  /** The first 64 bytes, or all of a shorter file. */
  readonly bytes: Buffer
  /** As found after `bytes` was read, so a file that grows meanwhile is not taken for a short one. */
  readonly size: number
}

/** Undefined when there is no such file. */
async function readFileStart(path: string): Promise<FileStart | undefined> {
  try {
    // Looked at first: opening a pipe waits for its other end.
    if (!(await stat(path)).isFile()) throw foreignFile(path, 'it is not a file')
    const file = await open(path, 'r')
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
      return { bytes: buffer.subarray(0, bytesRead), size: (await file.stat()).size }
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    if (cause instanceof CairnError) throw cause
    throw new CairnError(
      'storage-failed',
      `${path} cannot be read: ${messageOf(cause)}. Check its permissions.`,
      { cause, details: { path } },
    )
  }
}

function isTooShort({ bytes, size }: FileStart): boolean {
  return bytes.length < 64 || size < 2 * smallestPage
}

function findProblem(start: FileStart): string | undefined {
  if (isTooShort(start)) return 'it is too short to be an LMDB environment'
  const { bytes } = start
  if (readUInt32(bytes, magicOffset) === magic) {
    const version = readUInt32(bytes, magicOffset + 4) & 0xffff
    return version === formatVersion
      ? undefined
      : `it is an LMDB environment of format ${version}, and this build reads ${formatVersion}`
  }
  return readUInt32(bytes, magicOffsetOfFormat1) === magic
    ? 'it is an LMDB environment of format 1, made by another program'
    : 'it is not an LMDB environment'
}

/** LMDB stores numbers in the byte order of the machine. */
function readUInt32(bytes: Buffer, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return view.getUint32(offset, isLittleEndian)
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error
    ? error.code
    : undefined
}
