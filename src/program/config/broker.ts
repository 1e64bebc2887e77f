// The servers of a broker of a config file: the environment overrides the file, so that one file
// serves every environment.

import { defined } from '../../model/defined.js'
import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { readServers } from '../../nats/login.js'
import type { JetStreamOptions } from '../../backend/jetstream.js'
import type { Config } from './config.js'

/**
 * The options of `jetstream(…)` for a broker. Its servers are those of `CAIRN_<NAME>_URL`, else of
 * the file, else of `NATS_URL`. The name may be left out if there is only one broker. Throws
 * `invalid-option`.
 */
export function brokerOf(
  { file, brokers }: Config,
  name?: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): JetStreamOptions {
  const names = Object.keys(brokers)
  if (name === undefined && names.length > 1)
    throw invalid(`${file} has several brokers: name one of ${names.join(', ')}.`)
  const known = name ?? names[0]!
  const broker = Object.hasOwn(brokers, known) ? brokers[known] : undefined
  if (broker === undefined)
    throw invalid(`${file} has no broker ${show(known)}: it has ${names.join(', ')}.`)
  const variable = variableOf(known)
  const { servers: declared, tls, ...credentials } = broker
  const given = env[variable] || [declared ?? []].flat().join(',') || env['NATS_URL']
  if (given === undefined || given === '')
    throw invalid(
      `Broker ${known} of ${file} has no servers: set ${variable} or NATS_URL, or ` +
        `brokers.${known}.servers.`,
    )
  const { servers, ...login } = readServers(given)
  const hasOwn = Object.keys(credentials).length > 0
  return {
    servers: servers.join(','),
    ...(hasOwn ? credentials : login),
    ...defined({ tls }),
  }
}

function variableOf(name: string): string {
  return `CAIRN_${name.toUpperCase().replaceAll('-', '_')}_URL`
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-option', message)
}
