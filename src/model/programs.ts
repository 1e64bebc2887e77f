// How the package's programs are called from where this code is: an installed package has other commands than a checkout.

import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How to call them in advice. */
export interface ProgramNames {
  /** The command line. */
  readonly cairn: string
  /** A node. */
  readonly node: string
  /** A NATS server for development. */
  readonly nats: string
}

const installed: ProgramNames = {
  cairn: 'npx cairn',
  node: 'npx cairn node',
  nats: 'nats-server -js',
}

/** @param url of this module: in a checkout it is in a folder of `dist`, alone or joined with others */
export function programNames(url: string, here: string): ProgramNames {
  const [, dist] = /^(file:.*\/dist\/)(?:chunks|model)\/[^/]+$/.exec(url) ?? []
  if (dist === undefined || url.includes('/node_modules/')) return installed
  const program = (file: string) =>
    `node ${relative(here, fileURLToPath(new URL(file, dist)))}`
  return {
    cairn: program('cli/main.js'),
    node: program('node.js'),
    nats: 'npm run nats, or nats-server -js',
  }
}

export const programs: ProgramNames = programNames(import.meta.url, process.cwd())
