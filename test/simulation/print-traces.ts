// Prints the traces of the seeds that it is given, each as a line of JSON: another process to compare with.

import { traceOf } from './trace.js'

for (const seed of process.argv.slice(2))
  process.stdout.write(`${JSON.stringify(await traceOf(Number(seed)))}\n`)
