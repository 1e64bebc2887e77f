// Rows of cells as aligned text. Pure.

/**
 * The first column is aligned left, all others, which hold figures, right.
 *
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows each as long as the head
 * @returns {string} lines, each ended
 */
export const table = (head, rows) => {
  const all = [head, ...rows]
  const widths = head.map((_, column) =>
    Math.max(...all.map(row => row[column]?.length ?? 0)),
  )
  const line = (/** @type {readonly string[]} */ row) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? ''
        return column === 0 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd()
  const rule = widths.map(width => '-'.repeat(width))
  return [head, rule, ...rows].map(row => `${line(row)}\n`).join('')
}
