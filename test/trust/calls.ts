// One call through the public door, written to the journal before and after.

import { isCairnError } from 'cairn-es'

import type { Completed, Invoked, Journal } from './history.js'

export type Call = Omit<Invoked, 'at' | 'process' | 'kind' | 'op' | 'namespace'> & {
  readonly namespace: string
}
export type Ended = Omit<Completed, 'at' | 'process' | 'kind' | 'op'>

/** Makes the call and resolves with how it ended; never throws. */
export async function call(
  journal: Journal,
  invoked: Call,
  work: () => Promise<Ended>,
): Promise<Ended> {
  const op = journal.nextOp()
  journal.write({ kind: 'invoked', op, ...invoked })
  let ended: Ended
  try {
    ended = await work()
  } catch (error) {
    ended = failed(error)
  }
  journal.write({ kind: 'completed', op, namespace: invoked.namespace, ...ended })
  return ended
}

function failed(error: unknown): Ended {
  if (isCairnError(error))
    return { outcome: 'error', code: error.code, message: error.message }
  const { name = 'thrown', message = String(error) } = error as Partial<Error>
  return { outcome: 'error', code: name, message }
}

/** Whether the same call may be made again under its id. */
export function mayRepeat({ outcome, code }: Ended): boolean {
  const final = ['unknown-command', 'invalid-data', 'invalid-command', 'commit-too-large']
  return outcome === 'error' && !final.includes(code ?? '')
}
