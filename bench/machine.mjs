// What a figure was measured on: without it, it says nothing.
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'

/** Facts about this machine, and how busy it is at the moment. */
export const machineFacts = () => {
  const processors = cpus()
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    /** Runnable processes on average over 1, 5 and 15 minutes, before the bench began. */
    load: loadavg().map(load => Number(load.toFixed(2))),
  }
}
