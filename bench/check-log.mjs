// Holds a namespace's log against what was acknowledged: a figure counts only work that is
// there when it is looked for.
import { verify } from './benchmark.mjs'

/**
 * Every actor's versions are 1, 2, 3 … up to the version that was acknowledged last, and not
 * one more.
 *
 * @param {Pick<import('cairn-es/store').EventStore, 'readAll'>} store
 * @param {ReadonlyMap<string, number>} acknowledged actor id → version
 * @returns {Promise<number>} how many events were found
 */
export const checkVersions = async (store, acknowledged) => {
  /** @type {Map<string, number>} */
  const found = new Map()
  let events = 0
  for await (const record of store.readAll()) {
    verify(record.kind === 'commit', () => `the log holds a record that is no commit`)
    const { id } = record.actor
    const before = found.get(id) ?? 0
    verify(
      record.firstVersion === before + 1,
      () => `${id} goes from version ${before} to ${record.firstVersion}`,
    )
    found.set(id, record.lastVersion)
    events += record.events.length
  }
  for (const [id, version] of acknowledged)
    verify(
      (found.get(id) ?? 0) === version,
      () =>
        `${id} was acknowledged up to version ${version}, and the log has ${found.get(id) ?? 0}`,
    )
  verify(
    found.size <= acknowledged.size,
    () => `the log has ${found.size} actors; ${acknowledged.size} were written`,
  )
  return events
}
