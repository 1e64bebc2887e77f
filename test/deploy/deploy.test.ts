// The files in `deploy`: each is checked by its own tool where that is installed, and by what it must say everywhere.

import { execFileSync, spawnSync } from 'node:child_process'
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import t, { type Test } from 'tap'
import { parse, parseAllDocuments } from 'yaml'

const help = execFileSync(process.execPath, ['dist/node.js', '--help']).toString()

const hasHttp = help.includes('--http ')

/** Flags that `node dist/node.js` does not know. */
function unknownFlags(args: readonly string[]): string[] {
  const flags = args.filter(arg => arg.startsWith('--')).map(arg => arg.split('=')[0]!)
  return flags
    .filter(flag => hasHttp || !flag.startsWith('--http'))
    .filter(flag => !help.includes(flag))
}

const isInstalled = (program: string) =>
  spawnSync(program, ['--version']).status === 0 ? false : `${program} is not installed`

await t.test('the image is small, runs as nobody, and has a health check', async t => {
  const text = await readFile('deploy/Dockerfile', 'utf8')
  const lines = text
    .split(/(?<!\\)\n/)
    .filter(line => line !== '' && !line.startsWith('#'))
  const known = /^(FROM|WORKDIR|COPY|RUN|ENV|USER|EXPOSE|HEALTHCHECK|ENTRYPOINT|CMD) /
  t.strictSame(
    lines.filter(line => !known.test(line)),
    [],
  )
  const last = lines.slice(lines.findLastIndex(line => line.startsWith('FROM ')))
  t.ok(last.some(line => line.startsWith('USER 65532')))
  t.ok(last.some(line => /^HEALTHCHECK [^]*\/healthz/.test(line)))
  t.notOk(
    last.some(line => /npm (install|run)/.test(line)),
    'nothing is built in the last stage',
  )
  const entry = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)![1]!) as string[]
  t.equal(entry[1], 'node_modules/cairn-es/dist/node.js', 'node is the process 1')
  const command = JSON.parse(/^CMD (.*)$/m.exec(text)![1]!) as string[]
  t.strictSame(unknownFlags(command), [])
})

await t.test('compose has three servers, and three nodes that drain', async t => {
  const { services, volumes } = parse(await readFile('deploy/compose.yaml', 'utf8'), {
    merge: true,
  }) as { services: Record<string, Service>; volumes: object }
  const names = Object.keys(services)
  t.equal(names.filter(name => name.startsWith('nats-')).length, 3)
  const nodes = names.filter(name => name.startsWith('node-'))
  t.equal(nodes.length, 3)
  const ids = new Set<string>()
  for (const name of nodes) {
    const node = services[name]!
    t.strictSame(unknownFlags(node.command), [])
    t.equal(node.stop_grace_period, '30s', 'longer than a node drains')
    t.strictSame(Object.keys(node.depends_on), ['nats-1', 'nats-2', 'nats-3'])
    for (const url of node.environment['NATS_URL']!.split(','))
      t.ok(names.includes(new URL(url).hostname), url)
    ids.add(node.command[node.command.indexOf('--id') + 1]!)
    await access(join('deploy', node.build.context, node.build.dockerfile))
  }
  t.equal(ids.size, 3, 'each has its own id')
  for (const { volumes: mounts = [] } of Object.values(services))
    for (const mount of mounts) {
      const [source = ''] = mount.split(':')
      if (source.startsWith('.')) await access(join('deploy', source))
      else t.ok(source in volumes, source)
    }
})

interface Service {
  readonly command: string[]
  readonly stop_grace_period: string
  readonly depends_on: object
  readonly environment: Record<string, string>
  readonly build: { readonly context: string; readonly dockerfile: string }
  readonly volumes?: string[]
}

await t.test('the manifests of Kubernetes fit each other', async t => {
  const text = await readFile('deploy/kubernetes/cairn.yaml', 'utf8')
  const documents = parseAllDocuments(text)
  for (const document of documents) t.strictSame(document.errors, [])
  const byKind = new Map(
    documents.map(document => {
      const object = document.toJS() as { kind: string; spec: Spec }
      return [object.kind, object.spec]
    }),
  )
  const { template, selector, replicas, strategy } = byKind.get('Deployment')!
  const { containers, terminationGracePeriodSeconds, securityContext } = template!.spec
  const [container] = containers
  const { labels } = template!.metadata
  t.equal(replicas, 3)
  t.equal(strategy!.rollingUpdate.maxUnavailable, 0)
  t.ok(terminationGracePeriodSeconds > 15, 'longer than the pause and the drain')
  t.ok(securityContext.runAsNonRoot)
  t.strictSame(unknownFlags(container!.args), [])
  const ports = new Map(container!.ports.map(port => [port.name, port.containerPort]))
  for (const [probe, path] of [
    ['startupProbe', '/healthz'],
    ['livenessProbe', '/healthz'],
    ['readinessProbe', '/readyz'],
  ] as const) {
    const { httpGet } = container![probe]
    t.equal(httpGet.path, path)
    t.ok(ports.has(httpGet.port), `${probe} asks a port that is open`)
  }
  for (const [name, port] of ports)
    t.ok(
      container!.args.some(arg => arg.endsWith(`:${port}`)),
      `${name} is listened to`,
    )
  for (const kind of ['Deployment', 'PodDisruptionBudget'])
    t.strictSame(byKind.get(kind)!.selector, { matchLabels: labels }, kind)
  t.strictSame(selector, { matchLabels: labels })
  t.strictSame(byKind.get('Service')!.selector, labels)
  t.equal(byKind.get('PodDisruptionBudget')!.maxUnavailable, 1)
  t.match(byKind.get('HorizontalPodAutoscaler'), {
    scaleTargetRef: { kind: 'Deployment', name: 'cairn' },
    minReplicas: 3,
  })
})

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}

interface Spec {
  readonly replicas?: number
  readonly maxUnavailable?: number
  readonly selector?: object
  readonly strategy?: { readonly rollingUpdate: { readonly maxUnavailable: number } }
  readonly template?: {
    readonly metadata: { readonly labels: object }
    readonly spec: {
      readonly terminationGracePeriodSeconds: number
      readonly securityContext: { readonly runAsNonRoot: boolean }
      readonly containers: {
        readonly args: string[]
        readonly ports: { readonly name: string; readonly containerPort: number }[]
        readonly startupProbe: Probe
        readonly livenessProbe: Probe
        readonly readinessProbe: Probe
      }[]
    }
  }
}

await t.test(
  'kubectl reads the manifests',
  {
    skip:
      spawnSync('kubectl', ['kustomize', '--help']).status === 0 ? false : 'no kubectl',
  },
  async t => {
    const built = execFileSync('kubectl', ['kustomize', 'deploy/kubernetes']).toString()
    t.equal(parseAllDocuments(built).length, 5)
  },
)

await t.test(
  'systemd accepts the unit',
  { skip: isInstalled('systemd-analyze') },
  async (t: Test) => {
    const unit = await readFile('deploy/systemd/cairn-node.service', 'utf8')
    const [, program, ...args] = /^ExecStart=(\S+) (.*)$/m.exec(unit)!
    t.strictSame(unknownFlags(args[0]!.split(' ')), [])
    // The program need not be where the unit has it.
    const here = unit.replace(program!, process.execPath)
    const file = join(t.testdir(), 'cairn-node.service')
    await writeFile(file, here)
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', file])
    t.equal(status, 0, stderr.toString())
    t.equal(stderr.toString(), '')
  },
)
