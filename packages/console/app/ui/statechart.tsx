// A statechart, drawn: states within states, transitions between them, and the current states marked. The layout is
// computed once for a machine; a change of state only changes classes.

import { useEffect, useMemo, useState } from 'preact/hooks'

import { duration } from '../format.ts'
import type { ChartState } from '../types.ts'
import { activeIds } from '../chart/active.ts'
import type { Layout } from '../chart/layout.ts'
import type { TransitionStats } from '../chart/stats.ts'

export interface StatechartProps {
  readonly chart: ChartState
  /** The state value of XState. */
  readonly value: unknown
  /** The event that has led to it. */
  readonly lastEvent?: string
  readonly stats: TransitionStats | undefined
}

export function Statechart({ chart, value, lastEvent, stats }: StatechartProps) {
  const [layout, setLayout] = useState<Layout>()
  useEffect(() => {
    let isGone = false
    void import('../chart/layout.ts').then(({ layoutOf }) => {
      if (!isGone) setLayout(layoutOf(chart))
    })
    return () => {
      isGone = true
    }
  }, [chart])
  const active = useMemo(() => activeIds(chart, value), [chart, value])
  if (layout === undefined) return <div class="chart-wait" />
  const { width, height, states, edges } = layout
  const names = states.filter(({ id }) => active.has(id)).map(({ label }) => label)
  return (
    <div class="scroll chart" role="group" aria-label="Statechart" tabIndex={0}>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="img"
        aria-label={`Statechart of ${chart.key}. Current: ${names.join(', ') || 'none'}.`}
      >
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto-start-reverse"
          >
            <path d="M0 0.5 L8 4 L0 7.5 Z" />
          </marker>
        </defs>
        {states.map(state => (
          <g
            key={state.id}
            class={`state ${state.type}${active.has(state.id) ? ' active' : ''}`}
          >
            <rect
              x={state.x}
              y={state.y}
              width={state.width}
              height={state.height}
              rx={state.isGroup ? 12 : 9}
            />
            {state.type === 'final' && (
              <rect
                class="inner"
                x={state.x + 4}
                y={state.y + 4}
                width={state.width - 8}
                height={state.height - 8}
                rx={6}
              />
            )}
            {state.isInitial && (
              <circle class="initial" cx={state.x - 1} cy={state.y - 1} r={5} />
            )}
            <text
              x={state.isGroup ? state.x + 12 : state.x + state.width / 2}
              y={
                state.isGroup
                  ? state.y + 19
                  : state.y + state.height / 2 + (state.note === '' ? 4.5 : -2)
              }
              text-anchor={state.isGroup ? 'start' : 'middle'}
            >
              {state.label}
            </text>
            {state.note !== '' && !state.isGroup && (
              <text
                class="state-note"
                x={state.x + state.width / 2}
                y={state.y + state.height / 2 + 14}
                text-anchor="middle"
              >
                {state.note}
              </text>
            )}
          </g>
        ))}
        {edges.map(edge => {
          const found = stats?.get(edge.key)
          const isLast = lastEvent === edge.event && active.has(edge.to)
          return (
            <g key={edge.key} class={`edge${isLast ? ' last' : ''}`}>
              <path d={edge.path} marker-end="url(#arrow)" />
              <text x={edge.labelX} y={edge.labelY} text-anchor="middle">
                {edge.label}
              </text>
              {found !== undefined && (
                <text
                  class="edge-stats"
                  x={edge.labelX}
                  y={edge.labelY + 12}
                  text-anchor="middle"
                >
                  {found.count}× · {duration(found.median)}
                </text>
              )}
            </g>
          )
        })}
      </svg>
    </div>
  )
}
