// What the actor layer has to tell operators. The composition root hands in where it goes.

/** Receives one line: what happened, and the values that belong to it. */
export type ActorLog = (
  level: 'info' | 'warn' | 'error',
  message: string,
  details: Readonly<Record<string, unknown>>,
) => void

export const noLog: ActorLog = () => {}
