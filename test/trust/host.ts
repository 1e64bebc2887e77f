// A host of a trust run: one node in each namespace, with all actors, reactors and consumers' topics. Its handlers write
// what they do to the journal.

import {
  type Message,
  type ReactorContext,
  defineReactor,
  startNode,
  TerminalError,
} from 'cairn-es'

import { definitionsOf, listEvents, notes, type Note } from './actors.js'
import { now } from './history.js'
import { backendOf, control, journalOf, settingsOf } from './program.js'

const settings = settingsOf()
const { name, namespaces, store, code = 'old' } = settings
const journal = journalOf(settings)
let handlings = 0

/** Writes the begin and the end of each handling; what the message orders is done between them. */
function journalled(
  namespace: string,
  by: string,
  work: (message: Message, context: ReactorContext) => Promise<void>,
) {
  return async (message: Message, context: ReactorContext) => {
    const { id, actor, position } = message
    const { attempt, redrives, mayBeRepeat } = context
    const note = message.data as Partial<Note>
    const terminal = note.terminal === true
    const effect = {
      kind: 'effect',
      namespace,
      by,
      handling: `${name}-${++handlings}`,
      message: id,
      key: actor === undefined ? (note.key ?? id) : `${actor.type}/${actor.id}`,
      position,
      attempt,
      redrives,
      mayBeRepeat,
      terminal,
    } as const
    journal.write({ ...effect, phase: 'begun' })
    try {
      await work(message, context)
    } catch (error) {
      journal.write({ ...effect, phase: 'failed' })
      throw error
    }
    journal.write({ ...effect, phase: 'done' })
  }
}

function reactorsIn(namespace: string) {
  return [
    defineReactor({
      name: 'readers',
      on: notes,
      retry: { attempts: 8, first: 50, factor: 2, max: 500 },
      timeout: 5_000,
      handle: journalled(namespace, 'readers', async ({ data }, { attempt }) => {
        const { terminal, fails = 0 } = data as Note
        await new Promise(resolve => setTimeout(resolve, 2))
        if (terminal === true) throw new TerminalError('This note fails for good.')
        if (attempt <= fails) throw new Error(`This note fails ${fails} attempts.`)
      }),
    }),
    defineReactor({
      name: 'followers',
      on: listEvents,
      retry: { attempts: Infinity, first: 50, factor: 2, max: 500 },
      timeout: 5_000,
      handle: journalled(namespace, 'followers', async () => {}),
    }),
  ]
}

const nodes = await Promise.all(
  namespaces.map(namespace =>
    startNode({
      namespace,
      store: backendOf(store),
      id: settings.nodeId ?? name,
      actors: definitionsOf(code),
      reactors: reactorsIn(namespace),
    }),
  ),
)
const started = now()

control(
  async () => {
    await Promise.all(nodes.map(node => node.close({ timeout: 15_000 })))
  },
  () => ({ uptime: now() - started, members: nodes.map(node => node.members().length) }),
)
