// What a command's caller is told when it fails: the error, and the id to ask again with.

import { CairnError, isCairnError } from '../model/errors.js'
import { show } from '../model/show.js'

/** The error with the command's id in its details; one of no Cairn error is left as it is. */
export function aboutCommand(error: unknown, commandId: string): unknown {
  if (!isCairnError(error)) return error
  const { code, message, cause, details, stack } = error
  const isOpen = code === 'outcome-unknown'
  const hint = ` Or ask again with commandId ${show(commandId)}, which acts once.`
  const told = new CairnError(code, isOpen ? message + hint : message, {
    cause,
    details: { ...details, commandId },
  })
  // Where it came from is of more use than where it was passed on.
  if (!isOpen && stack !== undefined) told.stack = stack
  return told
}
