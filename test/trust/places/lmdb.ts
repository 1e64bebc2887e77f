// A directory of embedded data, which all processes share.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SmallDisk } from './small-disk.js'
import type { PlaceOptions, StartedPlace } from './started-place.js'

export async function startLmdbPlace(options: PlaceOptions = {}): Promise<StartedPlace> {
  const { smallDisk = true } = options
  const disk = smallDisk ? await SmallDisk.mount() : undefined
  const dir = disk?.dir ?? (await mkdtemp(join(tmpdir(), 'cairn-trust-')))
  const direct = { kind: 'embedded', dir } as const
  return {
    place: 'lmdb',
    servers: [],
    direct,
    disk,
    lineFor: () => Promise.resolve({ store: direct, line: undefined }),
    async [Symbol.asyncDispose]() {
      if (disk === undefined) await rm(dir, { recursive: true, force: true })
      else await disk[Symbol.asyncDispose]()
    },
  }
}
