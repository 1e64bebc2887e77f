// A parser for the Markdown of this repository, as far as the tests of the docs need it.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** tap starts every test in the root. */
export const root = process.cwd()

/** A fenced block. */
export interface Block {
  /** Relative to the root, as errors name it: `docs/actors.md`. */
  readonly page: string
  /** Line of the opening fence, from 1. */
  readonly line: number
  /** After the fence: `ts run`. */
  readonly info: string
  readonly text: string
}

const generated = new Set(['node_modules', 'dist', 'build', 'api'])

/** Every page, sorted: all but what is generated, hidden or installed. */
export function findPages(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && !generated.has(name))
    .flatMap(entry => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return findPages(path)
      return entry.name.endsWith('.md') ? [relative(root, path)] : []
    })
    .sort()
}

export function readPage(page: string): string {
  return readFileSync(join(root, page), 'utf8')
}

/** The fenced blocks of a page, in order. Throws when one is left open. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = []
  let open: { fence: string; line: number; info: string; lines: string[] } | undefined
  for (const [i, line] of readPage(page).split('\n').entries()) {
    const [, fence, info] = /^(`{3,})(.*)$/.exec(line) ?? []
    if (open === undefined) {
      if (fence !== undefined)
        open = { fence, line: i + 1, info: info!.trim(), lines: [] }
    } else if (fence !== undefined && fence.length >= open.fence.length && info === '') {
      blocks.push({ page, line: open.line, info: open.info, text: open.lines.join('\n') })
      open = undefined
    } else open.lines.push(line)
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: this block never ends`)
  return blocks
}

/** The page without its fenced blocks and code spans: what links and headings are read from. */
export function proseOf(page: string): string {
  return readPage(page)
    .replace(/^(`{3,}).*\n(?:.*\n)*?\1`*$/gm, '')
    .replace(/`[^`\n]*`/g, code => code.replace(/[[\]()]/g, ' '))
}

/** Anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): Set<string> {
  const seen = new Map<string, number>()
  const anchors = new Set<string>()
  const text = readPage(page).replace(/^(`{3,}).*\n(?:.*\n)*?\1`*$/gm, '')
  for (const [, heading] of text.matchAll(/^#{1,6} +(.+)$/gm)) {
    const slug = heading!
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .trim()
      .replaceAll(' ', '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    anchors.add(count === 0 ? slug : `${slug}-${count}`)
  }
  return anchors
}

/** Rows of the first table under a heading that contains `heading`: cells without backticks. */
export function tableUnder(page: string, heading: string): string[][] {
  const lines = readPage(page).split('\n')
  const from = lines.findIndex(line => line.startsWith('#') && line.includes(heading))
  if (from < 0) throw new Error(`${page} has no heading ${heading}`)
  const start = lines.findIndex((line, i) => i > from && line.startsWith('|'))
  const rows: string[][] = []
  for (let i = start + 2; lines[i]?.startsWith('|'); i++)
    rows.push(
      lines[i]!.split(/(?<!\\)\|/)
        .slice(1, -1)
        .map(cell => cell.trim().replaceAll('`', '')),
    )
  return rows
}
