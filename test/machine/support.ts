// What a node writes into its log, line by line.

import { Writable } from 'node:stream'
import pino from 'pino'

export interface Line {
  readonly level: number
  readonly msg: string
}

export function pinoLines() {
  const written: Line[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      for (const line of chunk.toString().split('\n'))
        if (line !== '') written.push(JSON.parse(line) as Line)
      callback()
    },
  })
  return { log: pino({ level: 'debug' }, stream), lines: () => written }
}
