// What the command line may do with its output: a terminal gets tables, colours and progress; a pipe gets plain text.

import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan'

/** A stream of the process, as far as the command line needs to know it. */
export interface Terminal {
  /** Whether a person reads it. */
  readonly isTerminal: boolean
  /** Characters of a line. */
  readonly columns: number
  readonly rows: number
  readonly hasColours: boolean
}

/** `NO_COLOR`, `FORCE_COLOR` and `TERM` decide on colours as everywhere in Node; a pipe never has any. */
export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  // Undefined for a pipe, whatever its type says.
  const isTerminal = stream.isTTY
  return {
    isTerminal,
    columns: (isTerminal && stream.columns) || 80,
    rows: (isTerminal && stream.rows) || 24,
    hasColours: isTerminal && stream.hasColors(),
  }
}

/** The text in a style, where there are colours. */
export function styled(
  { hasColours }: Pick<Terminal, 'hasColours'>,
  style: Style | undefined,
  text: string,
): string {
  if (!hasColours || style === undefined) return text
  return styleText(style, text, { validateStream: false })
}

/** Moves to the beginning of the line and clears it: what progress has drawn there goes. */
export const clearLine = '\r\u001B[K'

const healthStyles: Readonly<Record<string, Style>> = {
  good: 'green',
  watch: 'yellow',
  critical: 'red',
}

/** The style of a health, or of another word that stands for one. */
export function styleOfHealth(health: string): Style | undefined {
  return healthStyles[health]
}
