// A plugin in a process of its own, which is killed: see README.md.

import { fileURLToPath } from 'node:url'

import { type AskOutcome, isCairnError, memory, startNode } from 'cairn-es'
import { runPlugin } from '@cairn-es/grpc'

const backend = memory()
await using node = await startNode({ namespace: 'demo', store: backend, log: false })
const stopping = new AbortController()
let pid = 0
let registered = deferred()
const program = fileURLToPath(new URL('plugin.js', import.meta.url))
const running = runPlugin({
  namespace: 'demo',
  backend,
  command: [process.execPath, program],
  signal: stopping.signal,
  log: false,
  onEvent(event) {
    if (event.kind === 'started') pid = event.pid
    if (event.kind === 'registered') registered.resolve()
    if (event.kind === 'ended') console.log('the plugin ended by', event.signal)
  },
})

async function count(): Promise<AskOutcome> {
  for (;;)
    try {
      return await node.ask({ type: 'counter', id: 'c' }, 'count')
    } catch (error) {
      // Nobody decides it at the moment.
      if (!isCairnError(error) || !error.retryable) throw error
      await registered.promise
    }
}

await registered.promise
for (let i = 0; i < 3; i++) console.log(await replyOf(count()))
registered = deferred()
process.kill(pid, 'SIGKILL')
for (let i = 0; i < 2; i++) console.log(await replyOf(count()))
stopping.abort()
await running

async function replyOf(asked: Promise<AskOutcome>): Promise<unknown> {
  const outcome = await asked
  return outcome.ok ? outcome.reply : outcome.rejection.code
}

function deferred() {
  let resolve = () => {}
  const promise = new Promise<void>(done => (resolve = done))
  return { promise, resolve }
}
