// A chat room. The node of one guest is killed while it speaks; nobody's message is lost, and none is there twice.
//
// This program is both guests: with ROOM_DIR in its environment it is Bob, whose process is killed.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { embedded, startNode } from 'cairn-es'

import { messagesAfter, room } from './room.js'

/** The id of Bob's last message: he keeps it with what he has typed. */
const commandId = 'bob-2'
const last = { sender: 'Bob', text: 'Did that arrive?' }

if (process.env['ROOM_DIR'] === undefined) await ada()
else await bob(process.env['ROOM_DIR'])

async function bob(dir: string): Promise<void> {
  const node = await startNode({
    namespace: 'chat',
    store: embedded({ dir }),
    actors: [room],
  })
  const lobby = node.spawn(room, 'lobby')
  await lobby.ask('say', { sender: 'Bob', text: 'Hello, Ada.' })
  // He never gets the answer, and cannot know whether it was stored.
  lobby.ask('say', last, { commandId }).catch(() => {})
  setImmediate(() => process.kill(process.pid, 'SIGKILL'))
}

async function ada(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-room-'))
  {
    await using node = await startNode({
      namespace: 'chat',
      store: embedded({ dir }),
      actors: [room],
      // Bob's node dies on purpose; by default that is a warning on stderr.
      log: false,
    })
    const lobby = node.spawn(room, 'lobby')
    await lobby.ask('say', { sender: 'Ada', text: 'Is anybody here?' })

    const child = fork(fileURLToPath(import.meta.url), {
      env: { ...process.env, ROOM_DIR: dir },
    })
    const [, signal] = (await once(child, 'exit')) as [unknown, string]
    console.log(`Bob's process ended by ${signal}`)

    const again = await lobby.ask('say', last, { commandId })
    if (again.ok)
      console.log(`he says it again under its id: it is message ${again.reply}`)
    const blank = await lobby.ask('say', { sender: 'Ada', text: ' ' })
    if (!blank.ok) console.log(`refused: ${blank.rejection.code}`)

    // Ada's screen has shown message 1: it goes on from there.
    const over = new AbortController()
    for await (const { number, sender, text } of messagesAfter(1, lobby, over.signal)) {
      console.log(`${number} ${sender}: ${text}`)
      if (number === 3) over.abort()
    }
  }
  await rm(dir, { recursive: true })
}
