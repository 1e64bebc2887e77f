// Where a broker of a config file is: the environment goes before the file, so that one file serves
// in every place.

import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { parseLogin } from '../../nats/login.js'
import type { JetStreamOptions } from '../../backend/jetstream.js'
import type { Config } from './config.js'

/**
 * How to reach a broker, for `jetstream(…)`: by `CAIRN_<NAME>_URL`, else as the file says, else by
 * `NATS_URL`. Its name may be left out where there is one. Throws `invalid-option`.
 */
export function brokerOf(
  { file, brokers }: Config,
  name?: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): JetStreamOptions {
  const names = Object.keys(brokers)
  if (name === undefined && names.length > 1)
    throw invalid(`${file} has several brokers: say which of ${names.join(', ')}.`)
  const known = name ?? names[0]!
  const broker = Object.hasOwn(brokers, known) ? brokers[known] : undefined
  if (broker === undefined)
    throw invalid(`${file} has no broker ${show(known)}: it has ${names.join(', ')}.`)
  const variable = variableOf(known)
  const { servers: declared, creds } = broker
  const given = env[variable] || [declared ?? []].flat().join(',') || env['NATS_URL']
  if (given === undefined || given === '')
    throw invalid(
      `Where broker ${known} of ${file} is, is not said: set ${variable} or NATS_URL, or ` +
        `brokers.${known}.servers.`,
    )
  return { ...parseLogin(given), ...(creds !== undefined && { creds }) }
}

function variableOf(name: string): string {
  return `CAIRN_${name.toUpperCase().replaceAll('-', '_')}_URL`
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-option', message)
}
