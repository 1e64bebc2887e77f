// A disk without free space.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { StartedPlace } from '../places/started-place.js'
import { between } from './draws.js'
import { disturb, type Fault } from './fault.js'
import { bringUp } from './server.js'

export const fullDisk: Fault = {
  name: 'disk-full',
  places: ['nats', 'lmdb'],
  isPossible: ({ place }) => place.disk !== undefined,
  async inject(context, random) {
    const { place } = context
    const logsBefore = await logsOf(place)
    await disturb(context, {
      fault: this.name,
      target: 'disk',
      ms: between(random, 500, 8_000),
      begin: () => place.disk!.fill(),
      async heal() {
        await place.disk!.free()
        await restartHit(place, logsBefore)
      },
    })
  },
}

/** Frees the disk if it is full, and restarts the servers. */
export async function freeDisk(place: StartedPlace): Promise<void> {
  if (place.disk?.isFull !== true) return
  await place.disk.free()
  await restartHit(place, [])
}

/** What a server says when it could not write. It takes no more writes then, until it is restarted. */
const signs = /no space left|out of resources|will be DISABLED|JetStream Shutdown/i

async function restartHit(
  place: StartedPlace,
  logsBefore: readonly string[],
): Promise<void> {
  const logs = await logsOf(place)
  const hit = place.servers.filter((_, i) =>
    signs.test(logs[i]!.slice(logsBefore[i]?.length ?? 0)),
  )
  for (const server of hit) {
    await server.stop()
    await bringUp(server)
  }
}

function logsOf({ servers }: StartedPlace): Promise<string[]> {
  return Promise.all(
    servers.map(({ dir }) => readFile(join(dir, 'nats-server.log'), 'utf8')),
  )
}
