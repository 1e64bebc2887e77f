// Networks between one process and the servers that let nothing through, or only late.

import type { Random } from '../../../src/testing/random.js'
import type { Line } from '../place.js'
import type { TrustProcess } from '../processes.js'
import { between, pick } from './draws.js'
import { disturb, type Fault, type FaultContext, onServers } from './fault.js'

interface OnLine {
  readonly process: TrustProcess
  readonly line: Line
}

function withLines({ processes }: FaultContext): OnLine[] {
  return processes
    .list()
    .flatMap(process =>
      process.line === undefined ? [] : [{ process, line: process.line }],
    )
}

function onLine(
  name: string,
  most: number,
  disturbLine: (line: Line, random: Random) => void,
): Fault {
  return {
    name,
    places: onServers,
    isPossible: context => withLines(context).length > 0,
    async inject(context, random) {
      const { process, line } = pick(random, withLines(context))
      await disturb(context, {
        fault: name,
        target: process.name,
        ms: between(random, 300, most),
        begin: () => disturbLine(line, random),
        heal: () => line.heal(),
      })
    },
  }
}

export const lineFaults: readonly Fault[] = [
  onLine('line-cut', 10_000, line => line.cut('both')),
  onLine('line-cut-to-server', 10_000, line => line.cut('toServer')),
  onLine('line-cut-to-client', 10_000, line => line.cut('toClient')),
  onLine('line-delay', 8_000, (line, random) => line.delay(between(random, 50, 500))),
]
