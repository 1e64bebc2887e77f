// Suggestions for a name that is not known: "did you mean".

/**
 * The known name that a given one was probably meant to be; `undefined` if none is near. Of two that are as near, the one that
 * begins as the given one does.
 */
export function nearest(given: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Infinity
  for (const name of known) {
    const [one, other] = [given.toLowerCase(), name.toLowerCase()]
    const distance = distanceOf(one, other) - (other.startsWith(one) ? 0.5 : 0)
    // Two letters of four may be any other word.
    const most = Math.max(name.length > 4 ? 2 : 1, name.length / 3)
    if (distance >= least || distance > most) continue
    best = name
    least = distance
  }
  return best
}

/** ` Did you mean X?`, or nothing. What is given in JavaScript need not be text. */
export function didYouMean(given: unknown, known: Iterable<string>): string {
  const name = typeof given === 'string' ? nearest(given, known) : undefined
  return name === undefined ? '' : ` Did you mean ${name}?`
}

/** The number of single characters to insert, remove, replace or swap with a neighbour. */
function distanceOf(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 10) return Infinity
  let before: number[] = []
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const cost = one[i - 1] === other[j - 1] ? 0 : 1
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + cost)
      const isSwap = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
      if (i > 1 && j > 1 && isSwap) least = Math.min(least, before[j - 2]! + 1)
      next.push(least)
    }
    before = row
    row = next
  }
  return row[other.length]!
}
