// The text of a nats-server configuration file.

/**
 * @typedef {object} ServerConfig
 * @property {string} name unique within a cluster
 * @property {string} host
 * @property {number} port
 * @property {string} dir JetStream's files go to `<dir>/jetstream`
 * @property {boolean} [jetstream] on unless false
 * @property {string} [syncInterval] how long an acknowledged write may stay in
 *   the operating system's memory before it is forced to the disk: `always`, or a duration
 *   such as `10s`. Default: the server's own, 2 minutes.
 * @property {number} [maxPayload] bytes, the server's default is 1 MiB
 * @property {{ name: string, port: number, routes: string[] }} [cluster]
 * @property {readonly object[]} [users] entries of `authorization.users`
 * @property {string} [config] additional lines, for example an `accounts` block
 */

/**
 * The format accepts JSON strings and objects, so values are quoted as JSON.
 *
 * @param {ServerConfig} config
 * @returns {string}
 */
export const configText = config => {
  const { name, host, port, dir, jetstream = true, syncInterval, maxPayload } = config
  const { cluster, users } = config
  const sync = syncInterval === undefined ? '' : `, sync_interval: ${quote(syncInterval)}`
  const lines = [
    `server_name: ${quote(name)}`,
    `listen: ${quote(`${host}:${port}`)}`,
    `ports_file_dir: ${quote(dir)}`,
    jetstream && `jetstream: { store_dir: ${quote(dir)}${sync} }`,
    maxPayload !== undefined && `max_payload: ${maxPayload}`,
    cluster !== undefined &&
      `cluster: { name: ${quote(cluster.name)}, listen: ${quote(`${host}:${cluster.port}`)}, ` +
        `routes: ${quote(cluster.routes)} }`,
    users !== undefined && `authorization: { users: ${quote(users)} }`,
    config.config,
  ]
  return `${lines.filter(line => typeof line === 'string').join('\n')}\n`
}

/** @param {unknown} value */
const quote = value => JSON.stringify(value)
