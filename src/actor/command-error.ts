// Adds the command id to the error of a failed command, so that the caller can send it again under that id.

import { CairnError, isCairnError } from '../model/errors.js'
import { show } from '../model/show.js'

/** The error with the command's id in its details. An error without a Cairn code is returned unchanged. */
export function withCommandId(error: unknown, commandId: string): unknown {
  if (!isCairnError(error)) return error
  const { code, message, cause, details, stack } = error
  const isOutcomeUnknown = code === 'outcome-unknown'
  const hint = ` Or send it again with commandId ${show(commandId)}: it takes effect once.`
  const withId = new CairnError(code, isOutcomeUnknown ? message + hint : message, {
    cause,
    details: { ...details, commandId },
  })
  // The original stack is more useful than the stack of this function.
  if (!isOutcomeUnknown && stack !== undefined) withId.stack = stack
  return withId
}
