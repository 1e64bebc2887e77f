// The version of this package, for members to tell each other.

import { readFileSync } from 'node:fs'

const manifest = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }

export const packageVersion: string = manifest.version
