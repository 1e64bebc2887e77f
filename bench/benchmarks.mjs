// The benchmarks, in the order in which they run.
import {
  append64,
  appendDurable,
  appendLatency,
  appendPacked,
  appendPipelined,
  appendVsNaive,
} from './benchmarks/append.mjs'
import { asks } from './benchmarks/ask.mjs'
import { carry } from './benchmarks/carry.mjs'
import { embeddedAppend, embeddedLatency } from './benchmarks/embedded.mjs'
import { hydrates } from './benchmarks/hydrate.mjs'
import { machineFold } from './benchmarks/machine-fold.mjs'
import { notice } from './benchmarks/notice.mjs'
import { overloads } from './benchmarks/overload.mjs'
import { pauseDrain, pauseKill } from './benchmarks/pause.mjs'
import { reactor } from './benchmarks/reactor.mjs'
import { askRemote, askRemote64 } from './benchmarks/remote-ask.mjs'
import { replay } from './benchmarks/replay.mjs'
import { resident } from './benchmarks/resident.mjs'
import { scrape } from './benchmarks/scrape.mjs'
import { timerDrift } from './benchmarks/timer-drift.mjs'
import { transact } from './benchmarks/transact.mjs'
import { wakeStorm } from './benchmarks/wake-storm.mjs'
import { wakes } from './benchmarks/wake.mjs'

/** @type {readonly import('./benchmark.mjs').Benchmark[]} */
export const benchmarks = [
  appendPipelined,
  append64,
  appendVsNaive,
  appendDurable,
  appendLatency,
  appendPacked,
  ...asks,
  askRemote,
  askRemote64,
  ...wakes,
  ...hydrates,
  replay,
  notice,
  reactor,
  transact,
  resident,
  scrape,
  embeddedAppend,
  embeddedLatency,
  wakeStorm,
  carry,
  machineFold,
  timerDrift,
  pauseDrain,
  pauseKill,
  ...overloads,
]
