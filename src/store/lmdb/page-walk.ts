// Walks every page that the last commit of an LMDB file reaches, and checks all that LMDB takes for granted.
//
// LMDB follows the numbers in a page without looking at them: a wrong one lets it read or write where it must not, and the
// system ends the process. A file in which this walk finds nothing has no such number.
//
// PAGE-WALK-1. Nothing is mapped and nothing is written.
// PAGE-WALK-2. A page belongs to one place: a tree, the value of one entry, or the list of free pages.
// PAGE-WALK-3. Memory is bounded by the size of the file: a bit a page, a page a level, and one value.

import {
  type Meta,
  noPage,
  numberMax,
  type PageFile,
  pageFlags,
  pageHeaderBytes,
  PageView,
  type Tree,
  treeBytes,
} from './page-file.js'

/** An entry of a table. Its bytes are valid until the walk goes on. */
export interface WalkedEntry {
  readonly table: string
  readonly key: Buffer
  readonly value: Buffer
}

/** What is wrong with the pages of a file. */
export class PageFault extends Error {}

const nodeHeaderBytes = 8
const nodeFlags = { bigData: 0x01, subTree: 0x02 } as const
const depthMax = 24
/** How an entry names the pages of a large value: first page, commit, number of pages. */
const bigDataBytes = 24

interface Counts {
  branchPages: number
  leafPages: number
  overflowPages: number
  entries: number
}

/** A tree under way. */
interface Walk {
  readonly name: string
  readonly tree: Tree
  readonly counts: Counts
  readonly compare: (a: Buffer, b: Buffer) => number
  /** A buffer for each level. */
  readonly levels: PageView[]
  /** The key of the entry before. */
  before: Buffer | undefined
}

interface Node {
  readonly at: number
  readonly key: Buffer
}

export class PageWalk {
  readonly #file: PageFile
  readonly #meta: Meta
  readonly #pageSize: number
  /** Pages of the file; those after it can only be free. */
  readonly #pages: number
  readonly #taken: Uint8Array
  #freeBeyond = 0

  constructor(file: PageFile, meta: Meta) {
    this.#file = file
    this.#meta = meta
    this.#pageSize = meta.pageSize
    this.#pages = Math.min(Math.floor(file.size / meta.pageSize), meta.lastPage + 1)
    this.#taken = new Uint8Array(Math.ceil(this.#pages / 8))
  }

  /** Yields each entry of each table, in the order of their keys. Throws `PageFault`. */
  *entries(): Generator<WalkedEntry, void> {
    const { free, main } = this.#meta
    const tables: [string, Tree][] = []
    for (const { key, value, flags } of this.#walk('tables', main, Buffer.compare)) {
      if (flags !== nodeFlags.subTree || value.length !== treeBytes)
        throw new PageFault('its list of tables has an entry that is not one')
      const tree = new PageView(value).tree(0)
      if ((tree.flags & 0xff) !== 0)
        throw new PageFault('a table has an order of keys that Cairn does not use')
      tables.push([key.toString('latin1').replace(/\0$/, ''), tree])
    }
    // What the other entries are depends on it.
    tables.sort(([a], [b]) => Number(b === 'meta') - Number(a === 'meta'))
    for (const [table, tree] of tables)
      for (const { key, value, flags } of this.#walk(table, tree, Buffer.compare)) {
        if (flags !== 0)
          throw new PageFault(`table ${table} has an entry of another kind`)
        yield { table, key, value }
      }
    for (const { value, flags, key } of this.#walk('free pages', free, compareNumbers)) {
      if (flags !== 0 || key.length !== 8)
        throw new PageFault('its list of free pages has an entry of another kind')
      this.#takeFree(value)
    }
    const beyond = this.#meta.lastPage + 1 - this.#pages
    if (this.#freeBeyond < beyond)
      throw new PageFault(
        `it ends after ${this.#file.size} bytes, and ${beyond - this.#freeBeyond} pages in use are missing`,
      )
  }

  *#walk(
    name: string,
    tree: Tree,
    compare: Walk['compare'],
  ): Generator<{ key: Buffer; value: Buffer; flags: number }, void> {
    const counts = { branchPages: 0, leafPages: 0, overflowPages: 0, entries: 0 }
    const walk: Walk = { name, tree, counts, compare, levels: [], before: undefined }
    if (tree.root !== noPage) {
      if (tree.depth < 1 || tree.depth > depthMax)
        throw new PageFault(`the tree of ${name} has a depth of ${tree.depth}`)
      yield* this.#page(walk, tree.root, 1, undefined)
    } else if (tree.depth !== 0) throw new PageFault(`the tree of ${name} has no root`)
    for (const field of ['branchPages', 'leafPages', 'overflowPages', 'entries'] as const)
      if (counts[field] !== tree[field])
        throw new PageFault(
          `the tree of ${name} has ${counts[field]} ${words[field]}, and says ${tree[field]}`,
        )
  }

  /** @param end the first key after the page */
  *#page(
    walk: Walk,
    number: number,
    level: number,
    end: Buffer | undefined,
  ): Generator<{ key: Buffer; value: Buffer; flags: number }, void> {
    const { counts, tree, name } = walk
    const view = (walk.levels[level] ??= new PageView(Buffer.alloc(this.#pageSize)))
    this.#readPage(view, number, name)
    const isLeaf = level === tree.depth
    if (view.u16(18) !== (isLeaf ? pageFlags.leaf : pageFlags.branch))
      throw this.#fault(number, name, 'is of another kind')
    const count = this.#countOf(view, number, name, isLeaf ? 1 : 2)
    if (isLeaf) counts.leafPages++
    else counts.branchPages++
    let used = 0
    for (let i = 0; i < count; i++) {
      const node = this.#node(view, i, number, name)
      if (isLeaf) {
        used += yield* this.#leaf(walk, view, node, number, end)
        continue
      }
      used += even(nodeHeaderBytes + node.key.length)
      // The first key of a branch page is implied.
      const low = walk.before
      if (i > 0 && low !== undefined && walk.compare(node.key, low) <= 0)
        throw this.#fault(number, name, 'has keys out of order')
      const child =
        view.u16(node.at) +
        view.u16(node.at + 2) * 2 ** 16 +
        view.u16(node.at + 4) * 2 ** 32
      const next = i + 1 < count ? this.#node(view, i + 1, number, name).key : end
      const first = i === 0 ? undefined : Buffer.from(node.key)
      yield* this.#page(walk, child, level + 1, next && Buffer.from(next))
      const begun = walk.before
      if (first !== undefined && begun !== undefined && walk.compare(begun, first) < 0)
        throw this.#fault(number, name, 'has a key after those of the page that it names')
    }
    if (used !== this.#pageSize - pageHeaderBytes - view.u16(22))
      throw this.#fault(number, name, 'has entries of other lengths than it says')
  }

  /** Returns the bytes that the entry takes in its page. */
  *#leaf(
    walk: Walk,
    view: PageView,
    { at, key }: Node,
    number: number,
    end: Buffer | undefined,
  ): Generator<{ key: Buffer; value: Buffer; flags: number }, number> {
    const { name, compare, before } = walk
    const isOrdered =
      (before === undefined || compare(key, before) > 0) &&
      (end === undefined || compare(key, end) < 0)
    if (!isOrdered) throw this.#fault(number, name, 'has keys out of order')
    const size = view.u16(at) + view.u16(at + 2) * 2 ** 16
    const flags = view.u16(at + 4)
    const start = at + nodeHeaderBytes + key.length
    const isBig = (flags & nodeFlags.bigData) !== 0
    const stop = start + (isBig ? bigDataBytes : size)
    if (stop > this.#pageSize)
      throw this.#fault(number, name, 'has an entry that ends after it')
    const value = isBig
      ? this.#bigData(walk, view, start, size)
      : view.bytes.subarray(start, stop)
    walk.counts.entries++
    walk.before = Buffer.from(key)
    yield { key, value, flags: flags & ~nodeFlags.bigData }
    return even(stop - at)
  }

  #bigData({ name, counts }: Walk, view: PageView, at: number, size: number): Buffer {
    const first = view.u64(at)
    const commit = view.u64(at + 8)
    const pages = view.u64(at + 16)
    const needed = Math.floor((pageHeaderBytes - 1 + size) / this.#pageSize) + 1
    if (pages < needed || pages > this.#pages)
      throw new PageFault(`a value of ${name} has another length than its pages`)
    const header = new PageView(Buffer.alloc(pageHeaderBytes))
    this.#readPage(header, first, name)
    const says = [header.u16(18), header.u64(8), header.u32(20)]
    if (says[0] !== pageFlags.overflow || says[1] !== commit || says[2] !== pages)
      throw this.#fault(first, name, 'is not the value that an entry says')
    for (let i = 1; i < pages; i++) this.#take(first + i, name)
    counts.overflowPages += pages
    const value = Buffer.allocUnsafe(size)
    if (!this.#file.read(value, first * this.#pageSize + pageHeaderBytes))
      throw this.#fault(first, name, 'is missing: the file ends before it')
    return value
  }

  #readPage(view: PageView, number: number, name: string): void {
    this.#take(number, name)
    if (!this.#file.read(view.bytes, number * this.#pageSize))
      throw this.#fault(number, name, 'is missing: the file ends before it')
    if (view.u64(0) !== number) throw this.#fault(number, name, 'has another number')
    if (view.u64(8) > this.#meta.transaction)
      throw this.#fault(number, name, 'is of a commit after the last one')
  }

  /** The number of entries of a page, after its header has been checked. */
  #countOf(view: PageView, number: number, name: string, min: number): number {
    const [lower, upper] = [view.u16(20), view.u16(22)]
    const count = lower / 2
    const fits = lower % 2 === 0 && lower <= upper && upper % 2 === 0
    if (!fits || upper > this.#pageSize - pageHeaderBytes || count < min)
      throw this.#fault(number, name, 'has a damaged header')
    return count
  }

  #node(view: PageView, i: number, number: number, name: string): Node {
    const offset = view.u16(pageHeaderBytes + 2 * i)
    const at = pageHeaderBytes + offset
    const isInside = offset % 2 === 0 && offset >= view.u16(22)
    if (!isInside || at + nodeHeaderBytes > this.#pageSize)
      throw this.#fault(number, name, 'has an entry outside of it')
    const start = at + nodeHeaderBytes
    const stop = start + view.u16(at + 6)
    if (stop > this.#pageSize)
      throw this.#fault(number, name, 'has a key that ends after it')
    return { at, key: view.bytes.subarray(start, stop) }
  }

  /** PAGE-WALK-2. */
  #take(number: number, name: string): void {
    if (number < 2 || number > this.#meta.lastPage)
      throw new PageFault(`${name} refers to page ${number}, which does not exist`)
    if (number >= this.#pages)
      throw this.#fault(number, name, 'is missing: the file ends before it')
    const [index, bit] = [number >>> 3, 1 << (number & 7)]
    if (this.#taken[index]! & bit)
      throw this.#fault(number, name, 'is used in another place, too')
    this.#taken[index]! |= bit
  }

  /** A list of free pages: its length, then numbers of pages; a negative one is a length, and its first page follows. */
  #takeFree(list: Buffer): void {
    const view = new PageView(list)
    const length = list.length >= 8 ? view.u64(0) : noPage
    if ((length + 1) * 8 > list.length)
      throw new PageFault('its list of free pages has another length than it says')
    const name = 'the list of free pages'
    for (let i = 1; i <= length; i++) {
      const entry = view.i64(8 * i)
      if (entry === 0n) continue
      if (entry > 0n) {
        this.#takeFreePages(Number(entry), 1, name)
        continue
      }
      if (++i > length) throw new PageFault(`${name} ends within an entry`)
      this.#takeFreePages(view.u64(8 * i), Number(-entry), name)
    }
  }

  #takeFreePages(first: number, count: number, name: string): void {
    if (count > numberMax || first + count - 1 > this.#meta.lastPage)
      throw new PageFault(`${name} has page ${first + count - 1}, which does not exist`)
    for (let page = first; page < first + count; page++)
      if (page >= this.#pages) {
        // Each is named once: else fewer are free than are missing, or one of them is used.
        this.#freeBeyond += first + count - page
        return
      } else this.#take(page, name)
  }

  #fault(number: number, name: string, what: string): PageFault {
    return new PageFault(`page ${number} of ${name} ${what}`)
  }
}

const words = {
  branchPages: 'branch pages',
  leafPages: 'leaf pages',
  overflowPages: 'pages of large values',
  entries: 'entries',
} as const

/** Entries begin at even offsets. */
function even(bytes: number): number {
  return bytes + (bytes & 1)
}

function compareNumbers(a: Buffer, b: Buffer): number {
  if (a.length !== 8 || b.length !== 8) return 0
  const [x, y] = [new PageView(a).u64(0), new PageView(b).u64(0)]
  return x - y
}
