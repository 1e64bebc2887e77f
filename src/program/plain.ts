// Text for terminals.

/** The text with its control characters as escapes; actor ids may contain some. */
export function plain(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, character => {
    const code = character.codePointAt(0)!.toString(16).padStart(4, '0')
    return `\\u${code}`
  })
}
