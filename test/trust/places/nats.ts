// One server, which waits for its disk before it acknowledges.

import { startNats } from '../../support/nats.js'
import { lineTo } from './proxy-line.js'
import { SmallDisk } from './small-disk.js'
import type { PlaceOptions, StartedPlace } from './started-place.js'

export async function startNatsPlace(options: PlaceOptions = {}): Promise<StartedPlace> {
  const { smallDisk = true } = options
  const disk = smallDisk ? await SmallDisk.mount() : undefined
  try {
    const server = await startNats({
      name: 'n1',
      ...(disk === undefined ? { syncInterval: 'always' } : onDisk(disk.dir)),
    })
    const direct = { kind: 'jetstream', servers: [server.url], replicas: 1 } as const
    return {
      place: 'nats',
      servers: [server],
      direct,
      disk,
      lineFor: () => lineTo(direct),
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]()
        await disk?.[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await disk?.[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * `jetstream` is off for the helper's own block, which has another folder. With a fixed limit above the disk's size the
 * server runs into the disk's end; its default limit would refuse writes before.
 */
function onDisk(dir: string) {
  const store = JSON.stringify(dir)
  return {
    jetstream: false,
    config: `jetstream: { store_dir: ${store}, sync_interval: always, max_file: 100GB }`,
  }
}
