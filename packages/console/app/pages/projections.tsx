// Projections: how far their builds are, and their rows.

import { useMemo, useState } from 'preact/hooks'

import { send, url } from '../api.ts'
import { line, number, quote } from '../format.ts'
import { useCommandLine, useRole, useSession } from '../session.tsx'
import type { Projection } from '../types.ts'
import { Badge, Card, Empty, Page, Table, Trouble } from '../ui/basics.tsx'
import { useConfirm } from '../ui/confirm.tsx'
import { LagPlot } from '../ui/lag-plot.tsx'
import { useApi } from '../use.ts'

const tones = { live: 'good', building: 'watch', retired: 'plain' } as const

export function ProjectionsPage() {
  const { value, error, isLoading, reload } = useApi<{
    projections: readonly Projection[]
  }>('/v1/projections', 2_000)
  const { self } = useSession()
  const mayRepair = useRole('operator')
  const commandLine = useCommandLine()
  const ask = useConfirm()
  const [open, setOpen] = useState<string>()
  const projections = value?.projections ?? []
  const lags = useMemo(() => value && lagsOf(value.projections), [value])
  const rebuild = (name: string) =>
    ask({
      title: `Build ${name} again?`,
      text: 'It is built from the first event. The present rows are read until the new build has caught up.',
      verb: 'Build again',
      commandLine: commandLine(`projections --rebuild ${quote(name)}`),
      async run() {
        await send(url(['projections', name, 'rebuild']), { method: 'POST', body: {} })
        reload()
      },
    })
  return (
    <Page title="Projections" about="Read models, folded from the log.">
      <Trouble error={error} />
      {!isLoading && projections.length === 0 && (
        <Card>
          <Empty>This namespace has no projection.</Empty>
        </Card>
      )}
      {projections.length > 0 && (
        <Card title="Lag, in events">
          <LagPlot label="Events that projections have not folded yet" lags={lags} />
        </Card>
      )}
      {projections.map(({ name, end, builds }) => (
        <Card
          key={name}
          title={name}
          flush
          extra={
            self.projections.includes(name) ? (
              <span class="actions">
                <button
                  type="button"
                  aria-expanded={open === name}
                  onClick={() => setOpen(open === name ? undefined : name)}
                >
                  {open === name ? 'Hide rows' : 'Rows'}
                </button>
                {mayRepair && (
                  <button type="button" onClick={() => rebuild(name)}>
                    Build again…
                  </button>
                )}
              </span>
            ) : (
              <Badge>not known here</Badge>
            )
          }
        >
          <Table
            label={`Builds of ${name}`}
            head={['Build', 'State', 'Version', 'Position', 'Lag']}
          >
            {builds.map(build => (
              <tr key={build.number}>
                <th scope="row">{build.number}</th>
                <td>
                  <Badge tone={tones[build.state]}>{build.state}</Badge>
                </td>
                <td class="num">{build.version}</td>
                <td class="num">
                  {number(build.position)} of {number(end)}
                </td>
                <td class="num">{number(build.lag)}</td>
              </tr>
            ))}
          </Table>
          {open === name && <Rows name={name} />}
        </Card>
      ))}
    </Page>
  )
}

/** Of the build that is read; without one, of that which is the farthest. */
function lagsOf(projections: readonly Projection[]): ReadonlyMap<string, number> {
  return new Map(
    projections.flatMap(({ name, builds }) => {
      const live = builds.find(({ state }) => state === 'live')
      const lag = live?.lag ?? Math.min(...builds.map(one => one.lag))
      return Number.isFinite(lag) ? [[name, lag] as const] : []
    }),
  )
}

function Rows({ name }: { readonly name: string }) {
  const { value, error } = useApi<{
    rows: readonly { key: string; row: unknown }[]
    hasMore: boolean
  }>(url(['projections', name, 'rows'], { limit: 100 }), 3_000)
  return (
    <>
      <Trouble error={error} />
      <Table label={`Rows of ${name}`} head={['Key', 'Row']}>
        {(value?.rows ?? []).map(({ key, row }) => (
          <tr key={key}>
            <th scope="row">{key}</th>
            <td class="data">{line(row, 300)}</td>
          </tr>
        ))}
      </Table>
      {value?.hasMore === true && <p class="hint inside">There are more than these.</p>}
    </>
  )
}
