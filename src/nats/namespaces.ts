// The namespaces of a server, by their streams.

import type { Connection } from './connection.js'
import { apiError, jsErrorCode } from './errors.js'
import { callApi } from './jetstream-api.js'
import { sideStreams } from './side-streams.js'
import { logStream } from './subjects.js'

interface NamesPage {
  readonly total?: number
  readonly streams?: readonly string[] | null
}

const logStreamPattern = /^CAIRN_([a-z0-9][a-z0-9-]*)$/

/** The namespaces that have a log stream, sorted. Throws `store-unreachable`, `no-jetstream` or `unauthorized`. */
export async function listNamespaces(
  connection: Connection,
  timeout?: number,
): Promise<string[]> {
  const found: string[] = []
  for (let offset = 0; ;) {
    const query = { offset, subject: 'cairn.*.log.>' }
    const bounds = timeout === undefined ? {} : { timeout }
    const page = await callApi<NamesPage>(connection, 'STREAM.NAMES', query, bounds)
    if (!page.ok) throw apiError(page.error, 'listing the namespaces')
    const names = page.value.streams ?? []
    for (const name of names) {
      const [, namespace] = logStreamPattern.exec(name) ?? []
      if (namespace !== undefined) found.push(namespace)
    }
    offset += names.length
    if (names.length === 0 || offset >= (page.value.total ?? 0)) return found.toSorted()
  }
}

/** Deletes the streams of a namespace; the log goes last, so that what is left over can be found and removed. */
export async function removeStreams(
  connection: Connection,
  namespace: string,
): Promise<void> {
  const beside = sideStreams(namespace, 1).map(({ wanted }) => wanted.name)
  for (const stream of [...beside, logStream(namespace)]) {
    const deleted = await callApi(connection, `STREAM.DELETE.${stream}`, undefined)
    if (!deleted.ok && deleted.error.err_code !== jsErrorCode.streamNotFound)
      throw apiError(deleted.error, `deleting stream ${stream}`)
  }
}
