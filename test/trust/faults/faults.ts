// All faults.

import { jumpClock } from './clocks.js'
import { fullDisk } from './disk.js'
import type { Fault } from './fault.js'
import { blockHost, freezeLong, freezeOthers, freezeShort } from './freezes.js'
import { killAllHosts, killClient, killHost } from './kills.js'
import { lineFaults } from './lines.js'
import { deploy, rollHosts } from './rolls.js'
import { serverFaults } from './servers.js'

export const allFaults: readonly Fault[] = [
  killHost,
  killAllHosts,
  killClient,
  freezeShort,
  freezeLong,
  freezeOthers,
  blockHost,
  ...lineFaults,
  ...serverFaults,
  rollHosts,
  deploy,
  fullDisk,
  jumpClock,
]
