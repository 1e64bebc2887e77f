// The benchmarks, in the order in which they run.
import { append, appendDurable, appendVsNaive } from './benchmarks/append.mjs'
import { asks } from './benchmarks/ask.mjs'
import { carry } from './benchmarks/carry.mjs'
import { embeddedAppend } from './benchmarks/embedded.mjs'
import { pauseDrain, pauseKill } from './benchmarks/pause.mjs'
import { remoteAsk } from './benchmarks/remote-ask.mjs'
import { replay } from './benchmarks/replay.mjs'
import { resident } from './benchmarks/resident.mjs'
import { transact } from './benchmarks/transact.mjs'
import { wakeStorm } from './benchmarks/wake-storm.mjs'
import { wake } from './benchmarks/wake.mjs'

/** @type {readonly import('./benchmark.mjs').Benchmark[]} */
export const benchmarks = [
  pauseDrain,
  pauseKill,
  append(1),
  append(64),
  append(256),
  appendVsNaive,
  appendDurable,
  transact,
  embeddedAppend,
  ...asks,
  wake,
  wakeStorm,
  resident,
  replay,
  carry,
  remoteAsk(1),
  remoteAsk(64),
]
