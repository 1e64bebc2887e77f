// nats-server from Debian's development releases (the stable one ships a version that is
// too old), unpacked without root and without installing anything.
//
// Trust: the package is checked against the SHA256 in the package index, the index against
// the SHA256 in the release file, and the release file against Debian's archive keys, when
// `gpgv` and the keyring of this machine's Debian exist. Otherwise the index, which is downloaded over
// plain HTTP, is not verified, and the log says so. `Valid-Until` is not enforced: a
// stale index can only offer an older server, and every server's version is checked.
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { download, reasonOf, sha256Of } from './download.mjs'
import { execute, findOnPath, run } from './run.mjs'
import { unpackDeb } from './unpack-deb.mjs'
import { isRecentEnough } from './version.mjs'

const MIRROR = 'http://deb.debian.org/debian'
const RELEASES = ['sid', 'forky']
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
/** @type {Record<string, string>} */
const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' }

/** @typedef {{ signal?: AbortSignal | undefined, log: (line: string) => void }} Options */

/**
 * @param {string} scratch an empty folder
 * @param {Options} options
 * @returns {Promise<string>} the executable's path within `scratch`
 */
export const fetchFromDebian = async (scratch, options) => {
  const architecture = ARCHITECTURES[process.arch]
  if (process.platform !== 'linux' || architecture === undefined)
    throw new Error(`Debian's packages do not run on ${process.platform}-${process.arch}`)
  const failures = []
  for (const release of RELEASES) {
    try {
      return await fetchFromRelease(release, architecture, scratch, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      failures.push(`${release}: ${reasonOf(error)}`)
    }
  }
  throw new Error(failures.join('; '))
}

/**
 * @param {string} release
 * @param {string} architecture
 * @param {string} scratch
 * @param {Options} options
 */
const fetchFromRelease = async (release, architecture, scratch, { signal, log }) => {
  const index = await fetchIndex(release, architecture, { signal, log })
  const { version, filename, sha256 } = findPackage(index)
  if (!isRecentEnough(version)) throw new Error(`it has only nats-server ${version}`)
  log(`downloading ${MIRROR}/${filename}`)
  const deb = join(scratch, `${release}.deb`)
  await writeFile(deb, await download(`${MIRROR}/${filename}`, { signal, sha256 }))
  const root = join(scratch, release)
  await unpackDeb(deb, root, signal)
  const found = ['usr/sbin', 'usr/bin']
    .map(folder => join(root, folder, 'nats-server'))
    .find(path => existsSync(path))
  if (found === undefined)
    throw new Error(`${filename} contains no nats-server executable`)
  return found
}

/**
 * @param {string} release
 * @param {string} architecture
 * @param {Options} options
 */
const fetchIndex = async (release, architecture, { signal, log }) => {
  const hasXz = findOnPath('xz').length > 0
  const path = `main/binary-${architecture}/Packages.${hasXz ? 'xz' : 'gz'}`
  const trusted = await trustedRelease(release, { signal, log })
  const url = `${MIRROR}/dists/${release}/${path}`
  log(`downloading ${url}`)
  const packed = await download(url, { signal })
  if (trusted !== undefined && !lists(trusted, sha256Of(packed), path))
    throw new Error(`the signed release file of ${release} does not list this ${path}`)
  const index = hasXz
    ? await run('xz', ['-dc'], { input: packed, signal })
    : await promisify(gunzip)(packed)
  return index.toString('utf8')
}

/**
 * The signed text of the release file, or undefined if it cannot be verified on this machine.
 *
 * @param {string} release
 * @param {Options} options
 */
const trustedRelease = async (release, { signal, log }) => {
  const [gpgv] = findOnPath('gpgv')
  if (gpgv === undefined || !existsSync(KEYRING)) {
    log(
      `gpgv or ${KEYRING} is missing: the signature of Debian's ${release} is NOT verified`,
    )
    return undefined
  }
  const signed = await download(`${MIRROR}/dists/${release}/InRelease`, { signal })
  return verifiedText(gpgv, signed, signal)
}

/**
 * Only the text that `gpgv` returns is signed; text before or after the signed part is not.
 * A release is signed with several keys, of which an older keyring contains only some;
 * `gpgv` reports this as a failure. As in apt, one good signature is enough, and any bad one
 * is an error.
 *
 * @param {string} gpgv
 * @param {Uint8Array} signed
 * @param {AbortSignal} [signal]
 */
const verifiedText = async (gpgv, signed, signal) => {
  const { stdout, stderr } = await execute(
    gpgv,
    ['--keyring', KEYRING, '--status-fd', '2', '--output', '-', '-'],
    { input: signed, signal },
  )
  if (!stderr.includes('[GNUPG:] GOODSIG ') || stderr.includes('[GNUPG:] BADSIG '))
    throw new Error(
      `its release file has no good signature: ${stderr.slice(-500).trim()}`,
    )
  return stdout.toString('utf8')
}

/**
 * @param {string} release
 * @param {string} sha256
 * @param {string} path
 */
const lists = (release, sha256, path) =>
  release.split('\n').some(line => {
    const [checksum, , name] = line.trim().split(/\s+/)
    return checksum === sha256 && name === path
  })

/** @param {string} index */
const findPackage = index => {
  const start = index.indexOf('\nPackage: nats-server\n')
  if (start === -1) throw new Error('its package index has no nats-server')
  const end = index.indexOf('\n\n', start)
  const entry = index.slice(start, end === -1 ? undefined : end)
  /** @param {string} name */
  const field = name => {
    const value = new RegExp(`^${name}: (.+)$`, 'm').exec(entry)?.[1]
    if (value === undefined) throw new Error(`its entry for nats-server has no ${name}`)
    return value
  }
  return {
    version: field('Version').replace(/^\d+:/, ''),
    filename: field('Filename'),
    sha256: field('SHA256'),
  }
}
