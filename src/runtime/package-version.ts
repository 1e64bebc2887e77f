// The version of this package, for members to tell each other.

import { readFileSync } from 'node:fs'

/** `bundled` where the code of the package was put into another file, which has no package beside it. */
export const packageVersion: string = readVersion()

function readVersion(): string {
  try {
    const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
    const { name, version } = JSON.parse(file) as { name?: string; version: string }
    return name === 'cairn-es' ? version : 'bundled'
  } catch {
    return 'bundled'
  }
}
