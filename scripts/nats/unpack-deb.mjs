// Unpacks a Debian package into a folder, with dpkg-deb or, where that is missing, with
// `tar` and a reader for the `ar` archive around it.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { findOnPath, run } from './run.mjs'

/**
 * @param {string} deb
 * @param {string} folder created if missing
 * @param {AbortSignal} [signal]
 */
export const unpackDeb = async (deb, folder, signal) => {
  await mkdir(folder, { recursive: true })
  const [dpkg] = findOnPath('dpkg-deb')
  if (dpkg !== undefined) {
    await run(dpkg, ['-x', deb, folder], { signal })
    return
  }
  const { name, content } = dataMember(await readFile(deb))
  await writeFile(`${folder}/${name}`, content)
  await run('tar', ['-xf', `${folder}/${name}`, '-C', folder], { signal })
}

/**
 * An `ar` archive is a magic line, then members: a header of 60 bytes with the name in the
 * first 16 and the size, decimal, in 10 from the 48th; the content; padding to even.
 *
 * @param {Buffer} archive
 */
export const dataMember = archive => {
  if (archive.toString('latin1', 0, 8) !== '!<arch>\n')
    throw new Error('this is not a Debian package: it does not begin with !<arch>')
  let at = 8
  while (at + 60 <= archive.length) {
    const name = archive.toString('latin1', at, at + 16).replace(/\/?\s*$/, '')
    const size = Number(archive.toString('latin1', at + 48, at + 58))
    if (!Number.isSafeInteger(size))
      throw new Error(`broken size of ${name} in a package`)
    const content = archive.subarray(at + 60, at + 60 + size)
    if (/^data\.tar(\.\w+)?$/.test(name)) return { name, content }
    at += 60 + size + (size % 2)
  }
  throw new Error('this Debian package contains no data.tar')
}
