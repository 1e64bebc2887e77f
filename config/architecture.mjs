// The import directions of src, as one table. `npm run lint` enforces it (.dependency-cruiser.mjs), and
// ARCHITECTURE.md prints it (scripts/architecture.mjs).

/**
 * @typedef {object} Layer
 * @property {string} path A folder or a file of src.
 * @property {string} holds What is in it, for ARCHITECTURE.md.
 * @property {readonly string[]} imports The layers that it may import; itself is always allowed.
 * @property {readonly string[]} [adapters] Layers that only its files for NATS may import.
 */

const engine = [
  'model',
  'local',
  'codec',
  'nats',
  'store',
  'bus',
  'actor',
  'machine',
  'cluster',
  'delivery',
  'projection',
  'backend',
]

/** Files that adapt a port to NATS, by their names. */
export const adapterFile = '/(?:nats|jetstream)[a-z-]*\\.ts$'

/** Lower layers first. @type {Layer[]} */
export const layers = [
  {
    path: 'model',
    holds:
      'the nouns: address, event, command, commit, version, behavior, outbox, timer, topic, errors; types and pure logic',
    imports: [],
  },
  {
    path: 'local',
    holds: 'files and processes of one machine, as several layers use them',
    imports: [],
  },
  {
    path: 'codec',
    holds:
      'MessagePack; the table of headers; commits, commands, messages, timers and dead letters as headers and bytes',
    imports: ['model'],
  },
  {
    path: 'nats',
    holds:
      'connection, requests, subject grammar, declared streams, server errors, direct gets, group commit',
    imports: ['model'],
  },
  {
    path: 'store',
    holds:
      'all that is kept: event store, queue, timers, documents, read models, each a port with `memory.ts`, `lmdb.ts` and `jetstream.ts`; snapshots on read models; the version cache',
    imports: ['model', 'local', 'codec'],
    adapters: ['nats'],
  },
  {
    path: 'bus',
    holds: "notices: `nats.ts` on the server's republish, `local.ts` on the followed log",
    imports: ['model', 'codec', 'store'],
    adapters: ['nats'],
  },
  {
    path: 'actor',
    holds:
      'definitions, mailbox, command loop, recovery, host, references, supervision, transactions',
    imports: ['model', 'codec', 'store'],
  },
  {
    path: 'machine',
    holds: '`fromMachine`: an XState machine as a behavior',
    imports: ['model', 'actor'],
  },
  {
    path: 'cluster',
    holds: 'membership, placement, routing, transport between nodes',
    imports: ['model', 'local', 'codec'],
    adapters: ['nats'],
  },
  {
    path: 'delivery',
    holds:
      'groups and partitions, reactors, consumers, retries, dead letters, inbox, courier, due timers; rebuilding what is lost beside the log',
    imports: ['model', 'codec', 'store', 'bus', 'actor'],
  },
  {
    path: 'projection',
    holds: 'read models folded from events',
    imports: ['model', 'codec', 'store', 'bus', 'actor', 'delivery'],
  },
  {
    path: 'backend',
    holds: '`memory()`, `embedded()`, `jetstream()`: all ports opened together',
    imports: ['model', 'codec', 'nats', 'store', 'bus', 'cluster'],
  },
  {
    path: 'runtime',
    holds:
      '`startNode()`: the capabilities of a node, started in order and closed in reverse',
    imports: engine,
  },
  {
    path: 'http',
    holds:
      'the door over HTTP: health, metrics, the API from one table of routes, its OpenAPI document, principals',
    imports: [...engine, 'runtime'],
  },
  {
    path: 'otel',
    holds: 'OpenTelemetry: spans from the tracing channels, metrics of a node',
    imports: ['model', 'runtime', 'http'],
  },
  {
    path: 'program',
    holds:
      'what programs share: flags, exit codes, config files, `--actors FILE`, the demo',
    imports: [...engine, 'runtime', 'http'],
  },
  {
    path: 'cli',
    holds: 'the command line, a file a command',
    imports: [...engine, 'runtime', 'program'],
  },
  {
    path: 'doors',
    holds: "the lists of public names of the package's subpaths",
    imports: [...engine, 'runtime', 'http', 'otel', 'program'],
  },
  {
    path: 'testing',
    holds:
      "the users' test kit: specifications, a manual clock, simulated clusters that fail on purpose",
    imports: [...engine, 'runtime'],
  },
]

/** The one home of each outside library, as patterns of paths below src. @type {Record<string, readonly string[]>} */
export const libraries = {
  nats: ['nats/', '(?:bus|cluster|store/[a-z-]+)/(?:nats|jetstream)[a-z-]*\\.ts$'],
  msgpackr: ['codec/msgpack\\.ts$'],
  lmdb: ['store/lmdb/'],
  'lru-cache': ['store/version-cache\\.ts$'],
  pino: ['runtime/log\\.ts$'],
  xstate: ['machine/', 'program/demo/trip\\.ts$'],
  yaml: ['program/config/'],
  jiti: ['program/typescript\\.ts$'],
  hono: ['http/'],
  '@opentelemetry/api': ['otel/'],
  '@hono/node-server': ['http/serve\\.ts$'],
}
