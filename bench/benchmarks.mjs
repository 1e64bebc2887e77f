// The benchmarks, in the order in which they run.
import { append } from './benchmarks/append.mjs'
import { asks } from './benchmarks/ask.mjs'
import { carry } from './benchmarks/carry.mjs'
import { pauseDrain, pauseKill } from './benchmarks/pause.mjs'
import { remoteAsk } from './benchmarks/remote-ask.mjs'
import { replay } from './benchmarks/replay.mjs'
import { wake } from './benchmarks/wake.mjs'

/** @type {readonly import('./benchmark.mjs').Benchmark[]} */
export const benchmarks = [
  pauseDrain,
  pauseKill,
  append(1),
  append(64),
  append(256),
  ...asks,
  wake,
  replay,
  carry,
  remoteAsk(1),
  remoteAsk(64),
]
