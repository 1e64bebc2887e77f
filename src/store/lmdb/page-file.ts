// The pages of an LMDB file, read with the system's read and never mapped: a page that is not there is an error, and
// not the end of the process.
//
// The layout is that of LMDB 2 as the lmdb package writes it, on machines with 64-bit words, in their byte order.

import { type FileHandle, open } from 'node:fs/promises'
import { readSync } from 'node:fs'

export const pageHeaderBytes = 24
/** Where a tree has no root. */
export const noPage = 2 ** 64
/** Page numbers and counters beyond this are taken for damage. */
export const numberMax = 2 ** 48

export const pageFlags = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const

const magic = 0xbeefc0de
const magicOfOtherByteOrder = 0xdec0efbe
const formatVersion = 2
const magicOffset = pageHeaderBytes
/** On machines with 32-bit words, and in LMDB's older format. */
const magicOffsetElsewhere = 16
const pageSizes = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
const integerKeys = 0x08
/** What a meta page begins with. */
const metaBytes = pageHeaderBytes + 144
/** Readings of the meta pages, at most, while other processes commit. */
const readingsMax = 100

/** A tree of pages. */
export interface Tree {
  readonly flags: number
  readonly depth: number
  readonly branchPages: number
  readonly leafPages: number
  readonly overflowPages: number
  readonly entries: number
  /** `noPage` for an empty tree. */
  readonly root: number
}

/** A meta page: where the two trees of a commit begin. */
export interface Meta {
  readonly page: 0 | 1
  readonly pageSize: number
  readonly free: Tree
  readonly main: Tree
  readonly lastPage: number
  readonly transaction: number
}

/** What is wrong with a file. `foreign`: it was never an LMDB file of this format; `damaged`: it was. */
export interface FileFault {
  readonly kind: 'foreign' | 'damaged'
  readonly why: string
}

/** Whether the pages of files can be checked on this machine. */
export const canReadPages = !['arm', 'ia32', 'mips', 'mipsel', 'ppc', 's390'].includes(
  process.arch,
)

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** Numbers in a page, in the byte order of the machine. */
export class PageView {
  readonly bytes: Buffer
  readonly #view: DataView

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  u16(at: number): number {
    return this.#view.getUint16(at, isLittleEndian)
  }

  u32(at: number): number {
    return this.#view.getUint32(at, isLittleEndian)
  }

  /** Exact up to 2^53. */
  u64(at: number): number {
    const [low, high] = isLittleEndian ? [at, at + 4] : [at + 4, at]
    return this.u32(high) * 2 ** 32 + this.u32(low)
  }

  /** For a number that may be negative. */
  i64(at: number): bigint {
    return this.#view.getBigInt64(at, isLittleEndian)
  }

  tree(at: number): Tree {
    const root = this.u64(at + 40)
    return {
      flags: this.u16(at + 4),
      depth: this.u16(at + 6),
      branchPages: this.u64(at + 8),
      leafPages: this.u64(at + 16),
      overflowPages: this.u64(at + 24),
      entries: this.u64(at + 32),
      root: this.i64(at + 40) === -1n ? noPage : root,
    }
  }
}

/** Bytes of a tree's description. */
export const treeBytes = 48

export class PageFile {
  readonly path: string
  readonly #file: FileHandle
  readonly size: number

  private constructor(path: string, file: FileHandle, size: number) {
    this.path = path
    this.#file = file
    this.size = size
  }

  static async open(path: string): Promise<PageFile> {
    const file = await open(path, 'r')
    try {
      return new PageFile(path, file, (await file.stat()).size)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Fills `bytes` from an offset of the file; returns whether the file has so many. */
  read(bytes: Buffer, at: number): boolean {
    let done = 0
    while (done < bytes.length) {
      const count = readSync(this.#file.fd, bytes, done, bytes.length - done, at + done)
      if (count === 0) return false
      done += count
    }
    return true
  }

  /**
   * Reads both meta pages; returns what is wrong instead if they are not those of a whole file. Processes that have the file
   * open commit meanwhile, so the pages are read again until the first one has not changed over the reading of both.
   */
  metas(): readonly [Meta, Meta] | FileFault {
    const [before, after] = [Buffer.alloc(metaBytes), Buffer.alloc(metaBytes)]
    for (let reading = 1; ; reading++) {
      this.read(before, 0)
      const metas = this.#metasNow()
      this.read(after, 0)
      if (before.equals(after) || reading === readingsMax) return metas
    }
  }

  #metasNow(): readonly [Meta, Meta] | FileFault {
    const start = new PageView(Buffer.alloc(metaBytes))
    if (!this.read(start.bytes, 0)) {
      const isPart = this.size >= magicOffset + 4 && start.u32(magicOffset) === magic
      return isPart
        ? damaged(`it ends after ${this.size} bytes, within its first page`)
        : foreign('it is too short to be an LMDB environment')
    }
    const fault = faultOfFirstMeta(start)
    if (fault !== undefined) return fault
    const pageSize = start.u32(magicOffset + 24)
    if (!pageSizes.includes(pageSize))
      return damaged(`its first meta page names a page size of ${pageSize} bytes`)
    if (this.size < 2 * pageSize)
      return damaged(`it ends after ${this.size} bytes, within its meta pages`)
    const second = new PageView(Buffer.alloc(start.bytes.length))
    if (!this.read(second.bytes, pageSize)) return damaged('its second meta page is gone')
    const metas = [readMeta(start, 0), readMeta(second, 1)] as const
    for (const meta of metas) if (typeof meta === 'string') return damaged(meta)
    const [first, other] = metas as readonly [Meta, Meta]
    if (other.pageSize !== pageSize)
      return damaged('its meta pages name different page sizes')
    // A commit writes the meta page that the commit before it did not write.
    const isFresh = first.transaction === 0 && other.transaction === 0
    if (!isFresh && Math.abs(first.transaction - other.transaction) !== 1)
      return damaged(
        `its meta pages name the commits ${first.transaction} and ${other.transaction}, which do not follow one another`,
      )
    return [first, other]
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** The meta page of the last commit. */
export function newestOf([first, second]: readonly [Meta, Meta]): Meta {
  return first.transaction >= second.transaction ? first : second
}

function faultOfFirstMeta(start: PageView): FileFault | undefined {
  const found = start.u32(magicOffset)
  if (found === magicOfOtherByteOrder)
    return foreign('it was written on a machine with another byte order')
  const elsewhere = start.u32(magicOffsetElsewhere)
  if (found !== magic && elsewhere === magic) {
    const version = start.u32(magicOffsetElsewhere + 4) & 0xffff
    return foreign(
      version === formatVersion
        ? 'it was written on a machine with 32-bit words'
        : `it is an LMDB environment of format ${version}, made by another program`,
    )
  }
  if (found !== magic)
    return start.bytes.every(byte => byte === 0)
      ? damaged('it begins with zeros')
      : foreign('it is not an LMDB environment')
  const version = start.u32(magicOffset + 4) & 0xffff
  return version === formatVersion
    ? undefined
    : foreign(
        `it is an LMDB environment of format ${version}, and this build reads ${formatVersion}`,
      )
}

/** Returns what is wrong as text. */
function readMeta(view: PageView, page: 0 | 1): Meta | string {
  const at = magicOffset + 24
  const which = page === 0 ? 'its first meta page' : 'its second meta page'
  if (view.u64(0) !== page || (view.u16(18) & pageFlags.meta) === 0)
    return `${which} is not one`
  if (
    view.u32(magicOffset) !== magic ||
    (view.u32(magicOffset + 4) & 0xffff) !== formatVersion
  )
    return `${which} is not one`
  const meta: Meta = {
    page,
    pageSize: view.u32(at),
    free: view.tree(at),
    main: view.tree(at + treeBytes),
    lastPage: view.u64(at + 2 * treeBytes),
    transaction: view.u64(at + 2 * treeBytes + 8),
  }
  const { transaction, lastPage, free, main } = meta
  if (transaction > numberMax || lastPage > numberMax || lastPage < 1)
    return `${which} names a commit or a page that cannot be`
  if (transaction > 0 && transaction % 2 !== page)
    return `${which} names commit ${transaction}, which is in the other one`
  if ((free.flags & 0xff) !== integerKeys || (main.flags & 0xff) !== 0)
    return `${which} names an order of keys that Cairn does not use`
  return meta
}

function damaged(why: string): FileFault {
  return { kind: 'damaged', why }
}

function foreign(why: string): FileFault {
  return { kind: 'foreign', why }
}
