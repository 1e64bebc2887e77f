// Ending this process at once.
//
// `process.exit` waits for the threads of Node's pool. A thread that writes with LMDB waits for the main thread, which does
// not run any more: neither ever ends.
//
// Owns the number of such writes, and whether the process is ending.
// END-PROCESS-1. The process ends when no such write is under way; none begins after that was asked for.
// END-PROCESS-2. A write that does not end in time, as on a disk that hangs, is ended with the process, by SIGKILL.

/** Milliseconds (END-PROCESS-2). */
const patience = 2_000

let writes = 0
let exitCode: number | undefined

/** Runs a write that `process.exit` would wait for. */
export async function holdingExit<T>(write: () => Promise<T>): Promise<T> {
  if (exitCode !== undefined) return new Promise<never>(() => {})
  writes++
  try {
    return await write()
  } finally {
    writes--
    endIfIdle()
  }
}

/** Ends the process with an exit code, without a drain. What was acknowledged is stored. */
export function endProcess(code: number): void {
  exitCode ??= code
  endIfIdle()
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), patience)
}

/** END-PROCESS-1. */
function endIfIdle(): void {
  if (exitCode !== undefined && writes === 0) process.exit(exitCode)
}
