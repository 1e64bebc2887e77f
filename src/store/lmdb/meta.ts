// The meta record of an embedded file: what the file is. JSON, in layout 2 with a checksum of the rest in it, so that
// builds that know layout 1 only can read which layout it is.

import { wireVersion } from '../../codec/wire-version.js'
import { CairnError } from '../../model/errors.js'
import { newId } from '../../model/id.js'
import { defaultPartitions } from '../../model/partition.js'
import { checksumOfText } from './checksum.js'
import { damagedFile, foreignFile } from './errors.js'
import { layoutsKnown, layoutVersion, layoutWithChecksums } from './layout.js'

export interface EnvironmentMeta {
  readonly format: 'cairn'
  readonly layout: number
  readonly wire: number
  readonly namespace: string
  /** Unique per creation: positions of two generations cannot be compared. */
  readonly generation: string
  readonly createdAt: string
  readonly partitions: number
}

export function newMeta(namespace: string): EnvironmentMeta {
  return {
    format: 'cairn',
    layout: layoutVersion,
    wire: wireVersion,
    namespace,
    generation: newId(),
    createdAt: new Date().toISOString(),
    partitions: defaultPartitions,
  }
}

export function encodeMeta(meta: EnvironmentMeta): Buffer {
  const checksum = checksumOfText(JSON.stringify(meta))
  return Buffer.from(JSON.stringify({ ...meta, checksum }))
}

/** Throws `damaged-file` or `foreign-directory`. */
export function decodeMeta(stored: Buffer, path: string): EnvironmentMeta {
  let read: (Partial<EnvironmentMeta> & { readonly checksum?: unknown }) | null
  try {
    read = JSON.parse(stored.toString()) as typeof read
  } catch {
    throw foreignFile(path, 'its meta record cannot be read')
  }
  if (read === null || typeof read !== 'object')
    throw foreignFile(path, 'its meta record does not name Cairn')
  const { checksum, ...meta } = read
  const isKnown = layoutsKnown.includes(meta.layout!)
  const isExpected =
    checksum !== undefined || (isKnown && meta.layout! >= layoutWithChecksums)
  if (isExpected && checksum !== checksumOfText(JSON.stringify(meta)))
    throw damagedFile(path, 'its meta record does not match its checksum')
  if (meta.format !== 'cairn')
    throw foreignFile(path, 'its meta record does not name Cairn')
  if (!isKnown || meta.wire !== wireVersion)
    throw new CairnError(
      'foreign-directory',
      `${path} was written by another version of Cairn, with layout ${meta.layout} and wire version ` +
        `${meta.wire}; this build reads layouts ${layoutsKnown.join(', ')} and wire version ${wireVersion}. Nothing was written to it. ` +
        'Use the version that wrote it, or name another directory.',
      { details: { path, layout: meta.layout, wire: meta.wire } },
    )
  return meta as EnvironmentMeta
}

/** Throws `foreign-directory` if the file is another namespace's. */
export function checkNamespaceOf(
  { namespace }: EnvironmentMeta,
  path: string,
  expected: string,
): void {
  if (namespace !== expected)
    throw foreignFile(path, `it holds namespace ${namespace}, not ${expected}`)
}
