// The release of nats-server on GitHub, pinned to a version and its checksums.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { download } from './download.mjs'
import { run } from './run.mjs'

const VERSION = '2.14.5'

/** @type {Record<string, { architecture: string, sha256: string }>} */
const PINNED = {
  x64: {
    architecture: 'amd64',
    sha256: '5e3b603d47c447bda1f77f9ac16dbf91c90aac4ff3681f8fbbc7201e4ed99355',
  },
  arm64: {
    architecture: 'arm64',
    sha256: '673a98d3faa79dde3f9ebf16d6dfac36a5f694e7ad2015e4954dd7939c85cd4c',
  },
}

/**
 * @param {string} scratch an empty folder
 * @param {{ signal?: AbortSignal | undefined, log: (line: string) => void }} options
 * @returns {Promise<string>} the executable's path within `scratch`
 */
export const fetchFromGithub = async (scratch, { signal, log }) => {
  const pinned = process.platform === 'linux' ? PINNED[process.arch] : undefined
  if (pinned === undefined)
    throw new Error(
      `no checksum is pinned for ${process.platform}-${process.arch}, and an unverified ` +
        'download is not run: install it yourself (macOS: brew install nats-server)',
    )
  const name = `nats-server-v${VERSION}-linux-${pinned.architecture}`
  const url = `https://github.com/nats-io/nats-server/releases/download/v${VERSION}/${name}.tar.gz`
  log(`downloading ${url}`)
  const archive = join(scratch, 'release.tar.gz')
  await writeFile(archive, await download(url, { signal, sha256: pinned.sha256 }))
  await run('tar', ['-xzf', archive, '-C', scratch], { signal })
  return join(scratch, name, 'nats-server')
}
