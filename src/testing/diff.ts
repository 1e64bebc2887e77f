// Two lists of lines held against each other, for the message of a failed specification.

/** The lines of both, those only in `expected` behind "-", those only in `actual` behind "+". */
export function diff(expected: readonly string[], actual: readonly string[]): string {
  const common = commonLines(expected, actual)
  const lines: string[] = ['- expected', '+ actual', '']
  let [i, j] = [0, 0]
  for (const line of [...common, undefined]) {
    while (i < expected.length && expected[i] !== line) lines.push(`- ${expected[i++]}`)
    while (j < actual.length && actual[j] !== line) lines.push(`+ ${actual[j++]}`)
    if (line === undefined) continue
    lines.push(`  ${line}`)
    i++
    j++
  }
  return lines.join('\n')
}

/** The longest list of lines that both hold in this order. */
function commonLines(a: readonly string[], b: readonly string[]): string[] {
  // lengths[i][j]: the longest common list of a from i on and b from j on.
  const lengths = Array.from(
    { length: a.length + 1 },
    () => new Uint32Array(b.length + 1),
  )
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i]![j] =
        a[i] === b[j]
          ? lengths[i + 1]![j + 1]! + 1
          : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!)
  const common: string[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      common.push(a[i++]!)
      j++
    } else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) i++
    else j++
  }
  return common
}
