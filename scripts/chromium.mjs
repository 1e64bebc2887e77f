// The Chromium that tests of the console run: `CAIRN_CHROMIUM`, one on the PATH, or Debian's package.

import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const names = ['chromium', 'chromium-browser', 'google-chrome']

/** @returns {Promise<string>} */
export async function ensureChromium() {
  const found = await find()
  if (found !== undefined) return found
  await run('apt-get', ['update'])
  await run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'])
  const installed = await find()
  if (installed !== undefined) return installed
  throw new Error('There is no Chromium: put one on the PATH, or set CAIRN_CHROMIUM.')
}

/** @returns {Promise<string | undefined>} */
async function find() {
  const given = process.env['CAIRN_CHROMIUM']
  if (given !== undefined) return given
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of names) {
      const file = join(folder, name)
      const isThere = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (isThere) return file
    }
  return undefined
}
