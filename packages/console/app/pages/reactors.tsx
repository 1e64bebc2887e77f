// Reactors: how far they are, what fails, and what they have given up.

import { useMemo } from 'preact/hooks'

import { away, duration, number } from '../format.ts'
import { link } from '../router.ts'
import type { Backlog } from '../types.ts'
import { Badge, Card, Empty, Page, Table, type Tone, Trouble } from '../ui/basics.tsx'
import { LagPlot } from '../ui/lag-plot.tsx'
import { useApi } from '../use.ts'

const tones: Readonly<Record<Backlog['health'], Tone>> = {
  good: 'good',
  watch: 'watch',
  critical: 'bad',
}

export function ReactorsPage() {
  const { value, error, isLoading } = useApi<{ backlogs: readonly Backlog[] }>(
    '/v1/reactors?all=true',
    2_000,
  )
  const backlogs = value?.backlogs ?? []
  const lags = useMemo(() => value && lagsOf(value.backlogs), [value])
  const failing = backlogs.flatMap(one => one.failing.map(key => ({ ...key, one })))
  return (
    <Page
      title="Reactors"
      about="What reads the log and topics: how far it is, and what it cannot handle."
    >
      <Trouble error={error} />
      <Card flush>
        {!isLoading && backlogs.length === 0 && (
          <Empty>No reactor has read anything yet.</Empty>
        )}
        <Table
          label="Backlogs"
          head={[
            'Reactor',
            'Health',
            'Reads',
            'Waiting',
            'Lag',
            'Failing',
            'Dead letters',
          ]}
        >
          {backlogs.map(one => (
            <tr key={`${one.group} ${one.source}`}>
              <th scope="row">{one.group}</th>
              <td>
                <Badge tone={tones[one.health]}>{one.health}</Badge>
              </td>
              <td class="faint">
                {one.topics.length > 0
                  ? `${one.topics.join(', ')} (${one.source})`
                  : one.source}
              </td>
              <td class="num">
                {one.counted ? '' : '≥ '}
                {number(one.waiting)}
              </td>
              <td class="num">{duration(one.lagSeconds * 1_000)}</td>
              <td class="num">{number(one.failing.length)}</td>
              <td class="num">
                {one.dead === 0 ? (
                  0
                ) : (
                  <a href={link(['dead-letters'], { reactor: one.group })}>
                    {number(one.dead)}
                  </a>
                )}
              </td>
            </tr>
          ))}
        </Table>
      </Card>
      {backlogs.length > 0 && (
        <Card title="Lag, in seconds">
          <LagPlot label="Lag of reactors, in seconds" lags={lags} />
        </Card>
      )}
      {failing.length > 0 && (
        <Card title="Tried again" flush>
          <Table
            label="What is tried again"
            head={['Reactor', 'Key', 'Attempts', 'Next', 'Error']}
          >
            {failing.map(key => (
              <tr key={`${key.one.group} ${key.key} ${key.position}`}>
                <th scope="row">{key.one.group}</th>
                <td>{key.key}</td>
                <td class="num">{key.attempts}</td>
                <td>{away(key.nextAt)}</td>
                <td class="data">{key.error}</td>
              </tr>
            ))}
          </Table>
        </Card>
      )}
    </Page>
  )
}

/** Seconds by group: the longest of its sources. */
function lagsOf(backlogs: readonly Backlog[]): ReadonlyMap<string, number> {
  const lags = new Map<string, number>()
  for (const { group, lagSeconds } of backlogs)
    lags.set(group, Math.max(lagSeconds, lags.get(group) ?? 0))
  return lags
}
