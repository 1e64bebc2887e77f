// A plot of how far readers are behind, since the page was opened.
//
// Owns the points: LAG-PLOT-1. At most `pointsMax` for each reader, and at most `seriesMax` readers, those that are behind most.

import { useEffect, useState } from 'preact/hooks'

import { Empty } from './basics.tsx'
import { Plot } from './plot.tsx'

const pointsMax = 200
const seriesMax = 4
const colors = ['--accent', '--second', '--info', '--bad']

interface Points {
  readonly at: readonly number[]
  readonly behind: ReadonlyMap<string, readonly number[]>
}

const none: Points = { at: [], behind: new Map() }

/** @param lags by reader; a new object for each reading, `undefined` before the first one */
export function LagPlot({
  label,
  lags,
}: {
  readonly label: string
  readonly lags: ReadonlyMap<string, number> | undefined
}) {
  const [points, setPoints] = useState(none)
  useEffect(() => {
    if (lags !== undefined) setPoints(before => added(before, lags))
  }, [lags])
  const names = [...points.behind]
    .toSorted(([, a], [, b]) => Math.max(...b) - Math.max(...a))
    .slice(0, seriesMax)
    .map(([name]) => name)
    .toSorted()
  if (names.length === 0) return <Empty>Nothing was read yet.</Empty>
  return (
    <Plot
      // A plot has its series for good.
      key={names.join(' ')}
      label={label}
      series={names.map((name, i) => ({ label: name, color: colors[i]! }))}
      data={[points.at, ...names.map(name => points.behind.get(name)!)]}
    />
  )
}

function added({ at, behind }: Points, lags: ReadonlyMap<string, number>): Points {
  const count = at.length
  return {
    at: [...at, Date.now() / 1_000].slice(-pointsMax),
    behind: new Map(
      [...lags].map(([name, lag]) => {
        const before = behind.get(name) ?? Array.from({ length: count }, () => 0)
        return [name, [...before, lag].slice(-pointsMax)]
      }),
    ),
  }
}
