// A config file: brokers, the streams of namespaces, and consumers. An invalid value is refused with
// the name of its field.

import {
  type ConsumerDefinition,
  defineConsumer,
} from '../../delivery/consumer/define-consumer.js'
import { checkNamespace } from '../../model/address.js'
import { defined } from '../../model/defined.js'
import { CairnError, messageOf } from '../../model/errors.js'
import { type AnyTopic, defineTopic } from '../../model/topic.js'
import { hasWildcard, type TopicPattern } from '../../model/topic-selection.js'
import type { TlsOptions } from '../../nats/options.js'
import { Fields, invalidField } from './fields.js'

/** The contents of a `cairn.config` file. */
export interface ConfigSpec {
  /** By name: `[A-Za-z][A-Za-z0-9_-]*`. Default: one, named `default`. */
  readonly brokers?: Readonly<Record<string, BrokerSpec>>
  /** By namespace: its log, and the streams beside it. */
  readonly streams?: Readonly<Record<string, StreamSpec>>
  /** By name. */
  readonly consumers?: Readonly<Record<string, ConsumerEntry>>
  /** What the programs use where neither a flag nor the environment says otherwise. */
  readonly defaults?: DefaultsSpec
}

export interface DefaultsSpec {
  /** Default: the namespace of `streams`, if there is only one. */
  readonly namespace?: string
  /** The directory of an embedded store, instead of a broker; relative to the config file. */
  readonly embedded?: string
}

export interface BrokerSpec {
  readonly provider?: 'nats'
  /** One URL or several. `CAIRN_<NAME>_URL` overrides it; `NATS_URL` is used without it. */
  readonly servers?: string | readonly string[]
  /** Path of a credentials file. */
  readonly creds?: string
  /** Path of a file with the seed of an nkey. */
  readonly nkey?: string
  readonly user?: string
  /** Path of a file with the user's password. */
  readonly passwordFile?: string
  /** Paths of files, and whether TLS begins before the server says anything. */
  readonly tls?: TlsOptions
}

export interface StreamSpec {
  /** May be left out if there is only one broker. */
  readonly broker?: string
  readonly replicas?: 1 | 3 | 5
  /** 1 to 1,024; cannot be changed later. */
  readonly partitions?: number
}

export interface ConsumerEntry {
  /** The namespace; may be left out if there is only one. */
  readonly stream?: string
  readonly topics: readonly string[]
  /** As in `defineConsumer`. */
  readonly ackWait?: number
  readonly attempts?: number
  /** `new`: a new consumer gets what is stored after it was created. Default `first`. */
  readonly startAt?: 'first' | 'new'
}

/** A config file, read and checked. */
export interface Config {
  readonly file: string
  readonly brokers: Readonly<Record<string, Omit<BrokerSpec, 'provider'>>>
  readonly streams: Readonly<
    Record<string, Omit<StreamSpec, 'broker'> & { readonly broker: string }>
  >
  readonly consumers: Readonly<
    Record<string, { readonly stream: string; readonly definition: ConsumerDefinition }>
  >
  readonly defaults?: DefaultsSpec
}

/** Throws `invalid-option`, naming the field. */
export function readConfig(spec: unknown, file: string): Config {
  const root = new Fields(file, '', spec, ['brokers', 'streams', 'consumers', 'defaults'])
  const brokers = recordOf(root, 'brokers', readBroker)
  if (Object.keys(brokers).length === 0) brokers['default'] = {}
  const streams = recordOf(root, 'streams', (at, value) => readStream(at, value, brokers))
  const consumers = recordOf(root, 'consumers', (at, value, name) =>
    readConsumer(at, value, name, streams),
  )
  const defaults = root.has('defaults') ? readDefaults(root) : undefined
  return { file, brokers, streams, consumers, ...defined({ defaults }) }
}

function readDefaults(root: Fields): DefaultsSpec {
  const { file } = root
  const at = new Fields(file, 'defaults', root.record('defaults'), [
    'namespace',
    'embedded',
  ])
  const namespace = at.text('namespace')
  if (namespace !== undefined)
    atField(file, 'defaults.namespace', () => checkNamespace(namespace))
  return defined({ namespace, embedded: at.text('embedded') })
}

interface At {
  readonly file: string
  readonly path: string
}

function recordOf<T>(
  root: Fields,
  section: string,
  read: (at: At, value: unknown, name: string) => T,
): Record<string, T> {
  const { file } = root
  const named = Object.entries(root.record(section)).map(([name, value]) => [
    name,
    read({ file, path: `${section}.${name}` }, value, name),
  ])
  return Object.fromEntries(named) as Record<string, T>
}

function readBroker(
  { file, path }: At,
  value: unknown,
  name: string,
): Config['brokers'][string] {
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(name))
    throw invalidField(
      file,
      path,
      name,
      'begin its name with a letter; the rest may be letters, digits, "-" and "_"',
    )
  const fields = new Fields(
    file,
    path,
    value,
    ['provider', 'servers', 'creds', 'nkey', 'user', 'passwordFile', 'tls'],
    ['servers', 'creds', 'nkey', 'user', 'passwordFile', 'tls'],
  )
  fields.oneOf('provider', ['nats'])
  const servers = fields.textOrTexts('servers')
  const [creds, nkey, user, passwordFile] = (
    ['creds', 'nkey', 'user', 'passwordFile'] as const
  ).map(field => fields.text(field))
  const tls = fields.has('tls') ? readTls(file, path, fields.record('tls')) : undefined
  return defined({ servers, creds, nkey, user, passwordFile, tls })
}

function readTls(file: string, path: string, value: unknown): TlsOptions {
  const fields = new Fields(file, `${path}.tls`, value, [
    'ca',
    'cert',
    'key',
    'handshakeFirst',
  ])
  const [ca, cert, key] = (['ca', 'cert', 'key'] as const).map(field =>
    fields.text(field),
  )
  const handshakeFirst = fields.oneOf('handshakeFirst', [true, false])
  return defined({ ca, cert, key, handshakeFirst })
}

function readStream({ file, path }: At, value: unknown, brokers: Config['brokers']) {
  const namespace = path.slice('streams.'.length)
  atField(file, path, () => checkNamespace(namespace))
  const fields = new Fields(file, path, value, ['broker', 'replicas', 'partitions'])
  const broker = fields.reference('broker', Object.keys(brokers), 'brokers')
  const replicas = fields.oneOf('replicas', [1, 3, 5] as const)
  const partitions = fields.whole('partitions', 1, 1_024)
  return { broker, ...defined({ replicas, partitions }) }
}

function readConsumer(
  { file, path }: At,
  value: unknown,
  name: string,
  streams: Config['streams'],
): Config['consumers'][string] {
  const fields = new Fields(file, path, value, [
    'stream',
    'topics',
    'ackWait',
    'attempts',
    'startAt',
  ])
  const stream = fields.reference('stream', Object.keys(streams), 'streams')
  const topics = fields.textOrTexts('topics')
  if (topics === undefined || topics.length === 0)
    throw invalidField(file, `${path}.topics`, topics, 'list the topics that it reads')
  const ackWait = fields.whole('ackWait', 1, 2 ** 31 - 1)
  const attempts = fields.whole('attempts', 1, Number.MAX_SAFE_INTEGER)
  const startAt = fields.oneOf('startAt', ['first', 'new'] as const)
  const on = [topics]
    .flat()
    .map(topic => atField(file, `${path}.topics`, () => topicOrPattern(topic)))
  const definition = atField(file, path, () =>
    defineConsumer({
      name,
      on,
      ...defined({ ackWait, attempts, startAt }),
    }),
  )
  return { stream, definition }
}

function topicOrPattern(text: string): AnyTopic | TopicPattern {
  return hasWildcard(text) ? (text as TopicPattern) : defineTopic(text)
}

/** Puts the field in front of the message of what `work` throws. */
function atField<T>(file: string, path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const message = `${file}: ${path}: ${messageOf(error)}`
    throw new CairnError('invalid-option', message, { cause: error })
  }
}
