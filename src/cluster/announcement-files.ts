// Cards: small JSON files by which processes of one machine know of each other, one a node.

import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Written beside its place and renamed into it: nobody reads half a card. */
export async function writeAnnouncement(path: string, card: object): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(card))
  await rename(draft, path)
}

/** The file names of the cards in a folder. */
export async function listAnnouncements(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(name => name.endsWith('.json'))
  } catch {
    return [] // No node has ever been here.
  }
}

/** The card, if `isCard` knows it as one; its node may have just left. */
export async function readAnnouncement<Card>(
  path: string,
  isCard: (card: Partial<Card>) => boolean,
): Promise<Card | undefined> {
  try {
    const card = JSON.parse(await readFile(path, 'utf8')) as Partial<Card> | null
    return card !== null && isCard(card) ? (card as Card) : undefined
  } catch {
    return undefined
  }
}
