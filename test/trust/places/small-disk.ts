// A file system of its own for a place's data, small enough to be filled.
//
// An ext4 image where that can be mounted, because its fsync costs what one costs; else memory. Both need root.

import { execFile } from 'node:child_process'
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { CleanUp } from '../processes/clean-up.js'

const run = promisify(execFile)

/** The image is sparse: it takes what is written to it. */
const imageSize = '4G'
const memorySize = '512m'

const mountScript = `
  { truncate -s ${imageSize} "$1" && mkfs.ext4 -q -F -m 0 "$1" && mount -o loop "$1" "$2"; } ||
  { rm -f "$1"; mount -t tmpfs -o size=${memorySize} tmpfs "$2"; }`

export class SmallDisk implements AsyncDisposable {
  /** For the data; empty at first. */
  readonly dir: string
  readonly #root: string
  readonly #cleanUp: CleanUp
  #isFull = false

  private constructor(root: string, folder: string) {
    this.#root = root
    this.dir = join(root, 'data')
    mkdirSync(this.dir)
    // Lazy: a server that was not killed yet does not keep the mount.
    this.#cleanUp = new CleanUp('umount -l "$1"; rm -rf "$2"', root, folder)
  }

  /** Undefined where nothing can be mounted. */
  static async mount(): Promise<SmallDisk | undefined> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
    const folder = await mkdtemp(join(tmpdir(), 'cairn-disk-'))
    const root = join(folder, 'root')
    mkdirSync(root)
    try {
      await run('sh', ['-c', mountScript, 'sh', join(folder, 'image'), root])
    } catch {
      await rm(folder, { recursive: true, force: true })
      return undefined
    }
    return new SmallDisk(root, folder)
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** Takes all free space: the next write that needs a block fails with ENOSPC. */
  async fill(): Promise<void> {
    this.#isFull = true
    const { bavail, bsize } = await statfs(this.#root)
    // Reserves blocks without writing them. It may fail near the end, and keeps what it got.
    await run('fallocate', ['-l', String(bavail * bsize), this.#reserved]).catch(
      () => undefined,
    )
    writeUntilFull(this.#written)
  }

  /** Gives the space back. */
  async free(): Promise<void> {
    await rm(this.#reserved, { force: true })
    await rm(this.#written, { force: true })
    this.#isFull = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanUp.run()
  }

  get #reserved(): string {
    return join(this.#root, 'reserved')
  }

  get #written(): string {
    return join(this.#root, 'written')
  }
}

function writeUntilFull(path: string): void {
  const file = openSync(path, 'a')
  try {
    for (const block = Buffer.alloc(4096); ;) writeSync(file, block)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(file)
  }
}
