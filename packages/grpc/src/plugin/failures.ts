// What a plugin says of a failure, as an error of the host.

import { CairnError, RetryableError, TerminalError } from 'cairn-es'

import type { Failed } from '../gen/cairn/v1/plugin_pb.js'

export function failureOf({ name, message, terminal, retryAfterMs }: Failed): Error {
  const text = message || 'The plugin reported a failure without a message.'
  const error = terminal
    ? new TerminalError(text)
    : retryAfterMs === undefined
      ? new Error(text)
      : new RetryableError(text, { after: retryAfterMs })
  // Dead letters and log lines have the name that the plugin gives.
  if (name !== '') Object.defineProperty(error, 'name', { value: name })
  return error
}

export function unexpectedResult(got: string | undefined, asked: string): CairnError {
  return new CairnError(
    'remote-failure',
    `The plugin answered ${got ?? 'nothing'} to work of kind ${asked}: answer each piece of work with its own kind, ` +
      'or with failed.',
  )
}
