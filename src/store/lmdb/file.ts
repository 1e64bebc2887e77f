// The file of an embedded log, before LMDB gets to see it.
//
// LMDB maps a file into memory and trusts what it finds there, so a file that is something
// else is told apart here, by reading its first bytes, and is never written to.

import { mkdir, open, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

import { CairnError, messageOf } from '../../model/errors.js'

/** Where LMDB keeps its magic number and format version: behind the first page's header. */
const magicOffset = 24
const magicOffsetOfFormat1 = 16
const magic = 0xbeefc0de
const formatVersion = 2
const smallestPage = 512

/** Creates the directory where it is missing and returns its real path. */
export async function prepareDirectory(dir: string): Promise<string> {
  const path = resolve(dir)
  try {
    await makeDirectory(path)
    return await realpath(path)
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'EEXIST' || code === 'ENOTDIR')
      throw new CairnError(
        'foreign-directory',
        `${path} cannot be a data directory: it, or something above it, is a file. Name another directory.`,
        { cause, details: { path } },
      )
    throw new CairnError(
      'storage-failed',
      `The data directory ${path} cannot be created: ${messageOf(cause)}. ` +
        'Check its permissions and the space left, or name another directory.',
      { cause, details: { path } },
    )
  }
}

/**
 * Creates a directory and those above it, each flushed into its parent. Node's own way to do
 * that never returns on file systems that take no directories.
 */
async function makeDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return
  const parent = dirname(path)
  if (parent !== path) await makeDirectory(parent)
  try {
    await mkdir(path)
  } catch (error) {
    // Another process may have been faster.
    if (codeOf(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
  }
  await flushDirectory(parent)
}

/** The path of a namespace's file. */
export function filePath(realDir: string, namespace: string): string {
  return join(realDir, `${namespace}.lmdb`)
}

/** The namespaces that have a file in the directory; none when there is no such directory. */
export async function namespacesIn(dir: string): Promise<string[]> {
  try {
    const names = await readdir(resolve(dir))
    return names.filter(name => name.endsWith('.lmdb')).map(name => name.slice(0, -5))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw new CairnError(
      'storage-failed',
      `The data directory ${dir} cannot be read: ${messageOf(error)}. Check its permissions.`,
      { cause: error },
    )
  }
}

/**
 * Tells whether the file has to be created; throws `foreign-directory` when it is no LMDB
 * environment of the format in use, `storage-failed` when it cannot be read. An empty file
 * is what another process that is creating it right now leaves to see: it counts as absent.
 */
export async function inspectFile(path: string): Promise<'absent' | 'environment'> {
  let start: Buffer
  let size: number
  try {
    const found = await stat(path)
    if (!found.isFile()) throw foreignFile(path, 'it is not a file')
    size = found.size
    start = await readStart(path)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return 'absent'
    if (cause instanceof CairnError) throw cause
    throw new CairnError(
      'storage-failed',
      `${path} cannot be read: ${messageOf(cause)}. Check its permissions.`,
      { cause, details: { path } },
    )
  }
  if (start.length === 0) return 'absent'
  const problem = findProblem(start, size)
  if (problem !== undefined) throw foreignFile(path, problem)
  return 'environment'
}

/** Makes a file's directory entry survive a power failure. */
export async function flushDirectory(path: string): Promise<void> {
  // Windows has no way to flush a directory, and needs none.
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** The error for a file, or a directory holding it, that is not ours to write to. */
export function foreignFile(path: string, why: string): CairnError {
  return new CairnError(
    'foreign-directory',
    `${path} is not a Cairn log, and nothing was written to it: ${why}. ` +
      `Name another directory, or move ${basename(path)} out of the way.`,
    { details: { path } },
  )
}

async function readStart(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function findProblem(start: Buffer, size: number): string | undefined {
  if (start.length < 64 || size < 2 * smallestPage)
    return 'it is too short to be an LMDB environment'
  if (readUInt32(start, magicOffset) === magic) {
    const version = readUInt32(start, magicOffset + 4) & 0xffff
    return version === formatVersion
      ? undefined
      : `it is an LMDB environment of format ${version}, and this build reads ${formatVersion}`
  }
  return readUInt32(start, magicOffsetOfFormat1) === magic
    ? 'it is an LMDB environment of format 1, which another program made'
    : 'it is no LMDB environment'
}

/** LMDB writes numbers as the machine does. */
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
