// The namespace at a glance: what needs attention, what the nodes do, and which types they host.

import { useEffect, useState } from 'preact/hooks'

import { number, rate, away, line } from '../format.ts'
import { link } from '../router.ts'
import { useSession } from '../session.tsx'
import {
  Actor,
  Badge,
  Card,
  Empty,
  Figure,
  Page,
  Table,
  type Tone,
  Trouble,
} from '../ui/basics.tsx'
import { Plot } from '../ui/plot.tsx'
import type { Backlog, Member, ParkedActor, Self } from '../types.ts'
import { useApi } from '../use.ts'
import { countsOf as latencyCounts, type Latency, quantileBetween } from './latency.ts'

const pointsMax = 200

interface Points {
  readonly at: readonly number[]
  readonly commands: readonly number[]
  readonly notices: readonly number[]
  /** Milliseconds. */
  readonly median: readonly number[]
  readonly p99: readonly number[]
}

export function OverviewPage() {
  const { self } = useSession()
  const nodes = useApi<{ nodes: readonly Member[] }>('/v1/nodes', 3_000)
  const parked = useApi<{ parked: readonly ParkedActor[] }>('/v1/parked', 3_000)
  const reactors = useApi<{ backlogs: readonly Backlog[] }>(
    '/v1/reactors?all=true',
    4_000,
  )
  const points = usePoints(self)
  const backlogs = reactors.value?.backlogs ?? []
  const dead = deadOf(backlogs)
  const deadCount = [...dead.values()].reduce((sum, count) => sum + count, 0)
  const waiting = backlogs.reduce((sum, one) => sum + one.waiting, 0)
  const stuck = parked.value?.parked ?? []
  const { stats } = self
  return (
    <Page title="Overview" about={`Namespace ${self.namespace}, seen by ${self.id}.`}>
      <div class="figures">
        <Figure
          label="Nodes"
          value={number(nodes.value?.nodes.length ?? 0)}
          note={`${countTypes(nodes.value?.nodes)} types`}
        />
        <Figure
          label="Commands"
          value={rate(points.commands.at(-1) ?? 0)}
          note="a second, here"
        />
        <Figure
          label="Actors in memory"
          value={number(stats.actors['residents'] ?? 0)}
          note={`${number(stats.actors['busy'] ?? 0)} busy`}
          href={link(['actors'])}
        />
        <Figure
          label="Waiting messages"
          value={number(waiting)}
          note={`${backlogs.length} backlogs`}
          tone={waiting === 0 ? 'plain' : worstOf(backlogs)}
          href={link(['reactors'])}
        />
        <Figure
          label="Dead letters"
          value={number(deadCount)}
          note={deadCount === 0 ? 'none given up' : 'given up'}
          tone={deadCount === 0 ? 'plain' : 'bad'}
          href={link(['dead-letters'])}
        />
        <Figure
          label="Parked actors"
          value={number(stuck.length)}
          note={stuck.length === 0 ? 'none on this node' : 'on this node'}
          tone={stuck.length === 0 ? 'plain' : 'bad'}
        />
      </div>
      <Attention stuck={stuck} backlogs={backlogs} damage={stats.damage} />
      <div class="columns">
        <Card title="Throughput of this node">
          <Plot
            label="Throughput, a second"
            series={[
              { label: 'commands/s', color: '--accent' },
              { label: 'commits heard/s', color: '--second' },
            ]}
            data={[points.at, points.commands, points.notices]}
          />
        </Card>
        <Card title="Latency on this node">
          <Plot
            label="Time until a command is answered"
            series={[
              { label: 'median, ms', color: '--accent' },
              { label: '99 %, ms', color: '--second' },
            ]}
            data={[points.at, points.median, points.p99]}
          />
        </Card>
        <UnderWay />
      </div>
      <Card title="Nodes" flush>
        <Trouble error={nodes.error} />
        <Table
          label="Nodes"
          head={['Node', 'Hosts', 'Reads', 'Weight', 'Version', 'Started']}
        >
          {(nodes.value?.nodes ?? []).map(node => (
            <tr key={node.id}>
              <th scope="row">
                {node.id} {node.id === self.id && <Badge tone="info">this one</Badge>}
              </th>
              <td>
                <span class="chips">
                  {node.types.map(type => (
                    <a
                      key={type}
                      class="chip"
                      href={link(['actors'], { type })}
                      title={`behavior version ${node.behaviors[type] ?? 1}`}
                    >
                      {type}
                      {(node.behaviors[type] ?? 1) > 1 && ` v${node.behaviors[type]}`}
                    </a>
                  ))}
                </span>
              </td>
              <td class="faint">{node.groups.join(', ')}</td>
              <td>{node.weight}</td>
              <td>{node.version}</td>
              <td>{away(node.since)}</td>
            </tr>
          ))}
        </Table>
      </Card>
    </Page>
  )
}

/** A group has an entry for each source; its dead letters are counted with one of them. */
function deadOf(backlogs: readonly Backlog[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { group, dead } of backlogs)
    counts.set(group, Math.max(dead, counts.get(group) ?? 0))
  return counts
}

function countTypes(nodes: readonly Member[] = []): number {
  return new Set(nodes.flatMap(({ types }) => types)).size
}

function worstOf(backlogs: readonly Backlog[]): Tone {
  if (backlogs.some(({ health }) => health === 'critical')) return 'bad'
  return backlogs.some(({ health }) => health === 'watch') ? 'watch' : 'plain'
}

function Attention({
  stuck,
  backlogs,
  damage,
}: {
  readonly stuck: readonly ParkedActor[]
  readonly backlogs: readonly Backlog[]
  readonly damage: readonly unknown[]
}) {
  const health = useApi<{ checks: Record<string, { ok: boolean; reason?: string }> }>(
    '/readyz',
    5_000,
  )
  const unmet = Object.entries(health.value?.checks ?? {}).filter(([, { ok }]) => !ok)
  const failing = backlogs.filter(one => one.failing.length > 0)
  const dead = [...deadOf(backlogs)].filter(([, count]) => count > 0)
  const isCalm =
    stuck.length + failing.length + dead.length + damage.length + unmet.length === 0
  return (
    <Card
      title="Needs attention"
      extra={isCalm ? <Badge tone="good">nothing</Badge> : undefined}
    >
      {isCalm ? (
        <Empty>No actor is parked, no message was given up, and the node is ready.</Empty>
      ) : (
        <ul class="attention">
          {stuck.map(({ actor, reason, version }) => (
            <li key={actor}>
              <Badge tone="bad">parked</Badge>
              <div>
                <Actor name={actor} {...(version !== undefined && { version })} />
                <p>{reason}</p>
              </div>
            </li>
          ))}
          {dead.map(([group, count]) => (
            <li key={group}>
              <Badge tone="bad">dead letters</Badge>
              <div>
                <a href={link(['dead-letters'], { reactor: group })}>{group}</a>
                <p>
                  It has given up {number(count)} {count === 1 ? 'message' : 'messages'}.
                </p>
              </div>
            </li>
          ))}
          {failing.map(({ group, source, failing: [first] }) => (
            <li key={`${group}-${source}`}>
              <Badge tone="watch">failing</Badge>
              <div>
                <a href={link(['reactors'])}>{group}</a>
                <p>
                  {first!.key}: {first!.error} ({first!.attempts} attempts)
                </p>
              </div>
            </li>
          ))}
          {unmet.map(([name, { reason }]) => (
            <li key={name}>
              <Badge tone="bad">not ready</Badge>
              <div>
                <strong>{name}</strong>
                <p>{reason}</p>
              </div>
            </li>
          ))}
          {damage.map((one, i) => (
            <li key={i}>
              <Badge tone="bad">damage</Badge>
              <div>
                <p>{line(one, 300)}</p>
              </div>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

/** What this node has under way: commands without an answer yet, and actors that work. */
function UnderWay() {
  const [points, setPoints] = useState<readonly (readonly number[])[]>([[], [], []])
  const self = useApi<Self>('/v1/node', 3_000)
  useEffect(() => {
    const { value } = self
    if (value === undefined) return
    setPoints(([at = [], open = [], busy = []]) => [
      [...at, Date.now() / 1_000].slice(-pointsMax),
      [...open, value.stats.actors['open'] ?? 0].slice(-pointsMax),
      [...busy, value.stats.actors['busy'] ?? 0].slice(-pointsMax),
    ])
  }, [self.value])
  return (
    <Card title="Under way on this node">
      <Plot
        label="Under way"
        series={[
          { label: 'open commands', color: '--accent' },
          { label: 'busy actors', color: '--second' },
        ]}
        data={points}
      />
    </Card>
  )
}

function usePoints(self: Self): Points {
  const [points, setPoints] = useState<Points & { readonly last?: Counts }>({
    at: [],
    commands: [],
    notices: [],
    median: [],
    p99: [],
  })
  useEffect(() => {
    const now = countsOf(self)
    setPoints(before => {
      const { last, at, commands, notices, median, p99 } = before
      if (last === undefined) return { ...before, last: now }
      const seconds = Math.max(0.001, now.at - last.at)
      const add = (values: readonly number[], from: number, to: number) =>
        [...values, Math.max(0, to - from) / seconds].slice(-pointsMax)
      const quantile = (values: readonly number[], share: number) =>
        [...values, quantileBetween(last.latency, now.latency, share)].slice(-pointsMax)
      return {
        at: [...at, now.at].slice(-pointsMax),
        commands: add(commands, last.commands, now.commands),
        notices: add(notices, last.notices, now.notices),
        median: quantile(median, 0.5),
        p99: quantile(p99, 0.99),
        last: now,
      }
    })
  }, [self])
  return points
}

interface Counts {
  readonly at: number
  readonly commands: number
  readonly notices: number
  readonly latency: readonly number[]
}

function countsOf({ stats }: Self): Counts {
  const { asks = 0, tells = 0 } = stats.actors
  const { commits = 0 } = stats['notices'] as { readonly commits?: number }
  const { latency } = stats.actors as unknown as { readonly latency?: Latency }
  return {
    at: Date.now() / 1_000,
    commands: asks + tells,
    notices: commits,
    latency: latencyCounts(latency),
  }
}
