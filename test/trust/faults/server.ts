// Servers up and down. Several faults may bring the same server up at once.

import type { NatsServer } from '../../support/nats.js'

/** A server ends before it is restarted, and is restarted once at a time. */
const restarts = new WeakMap<NatsServer, Promise<void>>()
const attempts = 5

/** Resumes it if it is paused, starts it if it is down; resolves when it greets clients. */
export function bringUp(server: NatsServer): Promise<void> {
  const before = restarts.get(server) ?? Promise.resolve()
  const mine = before.then(
    () => startUntilUp(server),
    () => startUntilUp(server),
  )
  restarts.set(server, mine)
  return mine
}

async function startUntilUp(server: NatsServer): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    server.resume()
    if (isUp(server)) return
    try {
      await server.restart()
    } catch (error) {
      // Another fault may have killed it in between.
      if (attempt === attempts) throw error
    }
  }
}

function isUp({ pid }: NatsServer): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
