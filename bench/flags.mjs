// The command line of the bench. Pure.
import { parseArgs } from 'node:util'

export const usage = `Usage: npm run bench -- [names] [flags]

  NAMES           the same as --only
  --only NAMES    only these benchmarks, separated by commas; "append" stands for all
                  whose names begin with "append-"
  --quick         shorter runs, of the main benchmarks only
  --json          one JSON object a benchmark on stdout; the table goes to stderr
  --sync-always   a server that fsyncs before every acknowledgement
  --replicas N    1, or 3 for a cluster of three servers (default: 1)
  --nats URLS     servers of yours instead, separated by commas: in namespaces of its own,
                  bench-…, which are removed again
  --results DIR   where the run is kept (default: bench/results)
  --growth        instead: what work costs while actors, events, nodes and namespaces grow
  --list          name the benchmarks and say what each measures
  --help          this text`

/**
 * @typedef {object} Flags
 * @property {readonly string[]} only empty for all
 * @property {boolean} quick
 * @property {boolean} json
 * @property {boolean} syncAlways
 * @property {1 | 3} replicas
 * @property {string | undefined} nats
 * @property {string | undefined} results
 * @property {boolean} growth
 * @property {boolean} list
 * @property {boolean} help
 */

/** The command line makes no sense; the message says why. */
export class UsageError extends Error {
  /** @override */
  name = 'UsageError'
}

/**
 * @param {readonly string[]} args
 * @returns {Flags}
 * @throws {UsageError}
 */
export const parseFlags = args => {
  const { values, positionals } = parse(args)
  const { only = '', replicas, nats } = values
  if (nats !== undefined && values['sync-always'])
    throw new UsageError(
      '--sync-always is for a server of the bench; what yours syncs is in its own configuration.',
    )
  if (replicas !== '1' && replicas !== '3')
    throw new UsageError(`--replicas is ${JSON.stringify(replicas)}: use 1 or 3.`)
  return {
    only: [...positionals, ...only.split(',')].filter(name => name !== ''),
    quick: values.quick,
    json: values.json,
    syncAlways: values['sync-always'],
    replicas: replicas === '3' ? 3 : 1,
    nats,
    results: values.results,
    growth: values.growth,
    list: values.list,
    help: values.help,
  }
}

/** @param {readonly string[]} args */
const parse = args => {
  const flag = /** @type {const} */ ({ type: 'boolean', default: false })
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        only: { type: 'string' },
        quick: flag,
        json: flag,
        'sync-always': flag,
        replicas: { type: 'string', default: '1' },
        nats: { type: 'string' },
        results: { type: 'string' },
        growth: flag,
        list: flag,
        help: flag,
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/**
 * The benchmarks that `--only` means, in their own order.
 *
 * @template {{ readonly name: string }} Named
 * @param {readonly Named[]} all
 * @param {readonly string[]} only
 * @returns {readonly Named[]}
 * @throws {UsageError} when one of the names stands for nothing
 */
export const select = (all, only) => {
  const means = (/** @type {string} */ word, /** @type {Named} */ { name }) =>
    name === word || name.startsWith(`${word}-`)
  const nothing = only.find(word => !all.some(one => means(word, one)))
  if (nothing !== undefined)
    throw new UsageError(
      `--only ${nothing}: there is no such benchmark. There are ${all.map(one => one.name).join(', ')}.`,
    )
  return only.length === 0 ? all : all.filter(one => only.some(word => means(word, one)))
}
