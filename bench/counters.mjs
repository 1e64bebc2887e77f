// Counters to write by hand: their addresses, and a commit as their node would make it.

/** What a counter's commit holds. */
export const counterCommit = {
  events: [{ type: 'added', data: { by: 1 } }],
  command: { id: '01JGFJJZ00E9W2Q8K4M5N6P7R8', reply: { sum: 1_000 } },
  state: { behavior: 1, value: { sum: 1_000 } },
}

/** @param {number} count */
export const counters = count =>
  Array.from({ length: count }, (_, i) => ({ type: 'counter', id: `c${i}` }))
