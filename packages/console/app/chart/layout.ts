// Where the states and transitions of a statechart are drawn.

import { graphlib, layout } from '@dagrejs/dagre'

import type { ChartState, ChartTransition } from '../types.ts'
import { duration } from '../format.ts'
import { visit } from './active.ts'
import { edgeKey } from './stats.ts'

export interface DrawnState {
  readonly id: string
  readonly label: string
  readonly note: string
  readonly type: string
  readonly isGroup: boolean
  readonly isInitial: boolean
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface DrawnEdge {
  readonly key: string
  readonly event: string
  readonly to: string
  readonly label: string
  readonly path: string
  readonly labelX: number
  readonly labelY: number
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly states: readonly DrawnState[]
  readonly edges: readonly DrawnEdge[]
}

const letterWidth = 7.4
/** Room for counts and times below the name of an event. */
const statsWidth = 92
const margin = 24

export function layoutOf(chart: ChartState): Layout {
  const graph = new graphlib.Graph({ compound: true, multigraph: true })
  graph.setGraph({
    rankdir: 'TB',
    nodesep: 56,
    ranksep: 46,
    edgesep: 26,
    marginx: margin,
    marginy: margin,
  })
  const byId = new Map<string, ChartState>()
  const initials = new Set<string>()
  visit(chart, state => {
    byId.set(state.id, state)
    if (state.initial !== undefined) initials.add(state.initial)
  })
  for (const state of byId.values()) {
    if (state === chart) continue
    const note = noteOf(state)
    graph.setNode(state.id, {
      width: Math.max(84, textWidth(state.key) + 36, textWidth(note) * 0.85 + 20),
      height: note === '' ? 40 : 52,
    })
  }
  for (const state of byId.values())
    for (const child of state.states)
      if (state !== chart) graph.setParent(child.id, state.id)
  // An edge of a state that holds others is one of the first state in it: the layout has no other place for its end.
  const edges: { readonly key: string; readonly one: ChartTransition; to: string }[] = []
  for (const state of byId.values())
    for (const one of state.transitions)
      for (const target of one.targets.length > 0 ? one.targets : [state.id]) {
        const key = edgeKey(state.id, one.event, target)
        const [from, to] = [end(byId, chart, state.id), end(byId, chart, target)]
        if (from === undefined || to === undefined || graph.hasEdge(from, to, key))
          continue
        const label = labelOf(one)
        graph.setEdge(
          from,
          to,
          {
            width: Math.max(textWidth(label) * 0.9 + 8, statsWidth),
            height: 30,
            labelpos: 'c',
          },
          key,
        )
        edges.push({ key, one, to: target })
      }
  layout(graph)
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  return {
    width: Math.max(width, 160),
    height: Math.max(height, 80),
    states: [...byId.values()]
      .filter(state => state !== chart)
      .map(state => {
        const box = graph.node(state.id) as Box
        return {
          id: state.id,
          label: state.key,
          note: noteOf(state),
          type: state.type,
          isGroup: state.states.length > 0,
          isInitial: initials.has(state.id),
          x: box.x - box.width / 2,
          y: box.y - box.height / 2,
          width: box.width,
          height: box.height,
        }
      }),
    edges: edges.map(({ key, one, to }) => {
      const found = graph.edges().find(({ name }) => name === key)!
      const { points, x, y } = graph.edge(found) as unknown as Line
      return {
        key,
        event: one.event,
        to,
        label: labelOf(one),
        path: curve(points),
        labelX: x,
        labelY: y,
      }
    }),
  }
}

interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

interface Point {
  readonly x: number
  readonly y: number
}

interface Line {
  readonly points: readonly Point[]
  readonly x: number
  readonly y: number
}

/** A state without others in it. */
function end(
  byId: ReadonlyMap<string, ChartState>,
  root: ChartState,
  id: string,
): string | undefined {
  let state = byId.get(id)
  while (state !== undefined && state.states.length > 0)
    state = (state.initial && byId.get(state.initial)) || state.states[0]
  return state === root ? undefined : state?.id
}

function noteOf({ invokes, states }: ChartState): string {
  return invokes.length > 0 && states.length === 0 ? `⟳ ${invokes.join(', ')}` : ''
}

function labelOf({ event, delay, guard }: ChartTransition): string {
  const name =
    delay !== undefined
      ? `after ${typeof delay === 'number' ? duration(delay) : delay}`
      : event === ''
        ? 'always'
        : event.replace(/^xstate\.(done|error)\..*$/, '$1')
  return guard === undefined || guard === '' ? name : `${name} [${guard}]`
}

function textWidth(text: string): number {
  return text.length * letterWidth
}

/** A smooth line through the points. */
function curve(points: readonly Point[]): string {
  const [first, ...rest] = points
  if (first === undefined) return ''
  const last = rest.pop() ?? first
  let path = `M${round(first)}`
  rest.forEach((point, i) => {
    const next = rest[i + 1] ?? last
    const middle = { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 }
    path += ` Q${round(point)} ${round(i === rest.length - 1 ? last : middle)}`
  })
  return rest.length === 0 ? `${path} L${round(last)}` : path
}

function round({ x, y }: Point): string {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`
}
