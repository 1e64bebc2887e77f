// A plot of series over time. The library is loaded when the first one is shown.

import { useEffect, useRef } from 'preact/hooks'

import type uPlot from 'uplot'

export interface Series {
  readonly label: string
  /** A custom property of the style sheet. */
  readonly color: string
}

/** Of less than two points, the library would show a day or years: one of no value, a minute ago, stands before them. */
function aligned(data: readonly (readonly number[])[], count: number): uPlot.AlignedData {
  const [at = [], ...values] = data
  if (at.length > 1) return data as unknown as uPlot.AlignedData
  const end = at[0] ?? Date.now() / 1_000
  const padded = Array.from({ length: count }, (_, i) => [null, values[i]?.[0] ?? null])
  return [[end - 60, end], ...padded] as uPlot.AlignedData
}

function clock(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString('en-GB', { hour12: false })
}

export function Plot({
  label,
  series,
  data,
  height = 180,
}: {
  readonly label: string
  readonly series: readonly Series[]
  /** Seconds since 1970, then the values of each series. */
  readonly data: readonly (readonly number[])[]
  readonly height?: number
}) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const latest = useRef(data)
  latest.current = data
  useEffect(() => {
    const element = box.current!
    let isGone = false
    const draw = async () => {
      const { default: Plotter } = await import('uplot')
      if (isGone) return
      plot.current?.destroy()
      const style = getComputedStyle(element)
      const color = (name: string) => style.getPropertyValue(name).trim()
      const axis = {
        stroke: color('--faint'),
        grid: { stroke: color('--line'), width: 1 },
        ticks: { show: false },
        font: `11px ${style.fontFamily}`,
      }
      plot.current = new Plotter(
        {
          width: element.clientWidth,
          height,
          legend: { show: false },
          cursor: { show: false },
          padding: [8, 28, 0, 0],
          axes: [
            {
              ...axis,
              grid: { show: false },
              space: 80,
              values: (_, seconds) => seconds.map(clock),
            },
            { ...axis, size: 44, space: 32 },
          ],
          scales: {
            // A minute at least, which ends now.
            x: {
              range: (_, min, max) => {
                const end = max ?? Date.now() / 1_000
                return [Math.min(min ?? end, end - 60), end]
              },
            },
            y: { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * 1.15)] },
          },
          series: [
            {},
            ...series.map(one => ({
              stroke: color(one.color),
              fill: `color-mix(in srgb, ${color(one.color)} 12%, transparent)`,
              width: 2,
              points: { show: false },
            })),
          ],
        },
        aligned(latest.current, series.length),
        element,
      )
    }
    void draw()
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height }),
    )
    resized.observe(element)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const redraw = () => void draw()
    scheme.addEventListener('change', redraw)
    addEventListener('cairn-theme', redraw)
    return () => {
      isGone = true
      resized.disconnect()
      scheme.removeEventListener('change', redraw)
      removeEventListener('cairn-theme', redraw)
      plot.current?.destroy()
    }
  }, [])
  useEffect(() => plot.current?.setData(aligned(data, series.length)), [data])
  const last = (index: number) => data[index + 1]?.at(-1) ?? 0
  return (
    <figure class="plot">
      <div
        ref={box}
        role="img"
        aria-label={`${label}: ${series.map((one, i) => `${one.label} ${last(i).toFixed(1)}`).join(', ')}`}
      />
      <figcaption>
        {series.map((one, i) => (
          <span key={one.label}>
            <i style={{ background: `var(${one.color})` }} />
            {one.label} <b>{last(i).toFixed(1)}</b>
          </span>
        ))}
      </figcaption>
    </figure>
  )
}
