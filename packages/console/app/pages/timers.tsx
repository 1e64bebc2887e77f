// Pending timers of all actors, those due first at the top.

import { away, duration, line, time } from '../format.ts'
import type { Timer } from '../types.ts'
import { Actor, Card, Empty, Page, Table, Trouble } from '../ui/basics.tsx'
import { useApi } from '../use.ts'

export function TimersPage() {
  const { value, error, isLoading } = useApi<{
    timers: readonly Timer[]
    hasMore: boolean
  }>('/v1/timers?limit=500', 2_000)
  const timers = (value?.timers ?? []).toSorted((a, b) => (a.due < b.due ? -1 : 1))
  return (
    <Page title="Timers" about="What the actors have set for later.">
      <Trouble error={error} />
      <Card flush>
        {!isLoading && timers.length === 0 ? (
          <Empty>No timer is pending.</Empty>
        ) : (
          <TimerTable timers={timers} />
        )}
      </Card>
      {value?.hasMore === true && <p class="hint">There are more than these.</p>}
    </Page>
  )
}

function TimerTable({ timers }: { readonly timers: readonly Timer[] }) {
  return (
    <Table
      label="Pending timers"
      head={['Actor', 'Timer', 'Due', 'At', 'Repeats', 'Command', 'Data']}
    >
      {timers.map(({ actor, name, due, every, command, data }) => (
        <tr key={`${actor} ${name}`}>
          <td>
            <Actor name={actor} />
          </td>
          <td>{name}</td>
          <td>
            <strong>{away(due)}</strong>
          </td>
          <td class="time">{time(due)}</td>
          <td>{every === undefined ? '—' : `every ${duration(every)}`}</td>
          <td>{command}</td>
          <td class="data">{line(data)}</td>
        </tr>
      ))}
    </Table>
  )
}
