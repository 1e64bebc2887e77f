// Why an event is there, and what it has caused: a tree over actors, messages and timers.

import { url } from '../api.ts'
import { time } from '../format.ts'
import type { EventView, Link } from '../types.ts'
import { Actor, Card, Code, Empty, Trouble } from '../ui/basics.tsx'
import { useCommandLine } from '../session.tsx'
import { useApi } from '../use.ts'

/** Commits after the event that are looked at. */
const lookMax = 1_000
/** Entries that are shown. */
const linksMax = 200

interface Answer {
  readonly links: readonly Link[]
  readonly complete: boolean
}

export function Effects({ event }: { readonly event: EventView }) {
  const { value, error } = useApi<Answer>(
    url(['events', String(event.position), 'why'], { limit: lookMax }),
    10_000,
  )
  const commandLine = useCommandLine()
  const links = value?.links ?? []
  const hasEffects = links.some(({ relation }) => relation === 'effect')
  return (
    <Card title="Causes and effects">
      <Trouble error={error} />
      <ul class="why">
        {links.slice(0, linksMax).map((link, i) => (
          <li
            key={i}
            class={link.relation}
            style={{ '--depth': Math.min(link.depth, 12) }}
            aria-current={link.relation === 'this' ? 'true' : undefined}
          >
            <Entry link={link} />
          </li>
        ))}
      </ul>
      {value !== undefined && !hasEffects && <Empty>It has caused nothing.</Empty>}
      {links.length > linksMax && (
        <p class="hint">There are {links.length - linksMax} more.</p>
      )}
      {value?.complete === false && (
        <p class="hint">Only the {lookMax} commits after it were looked at.</p>
      )}
      <p class="hint">The same on the command line:</p>
      <Code label="the line" text={commandLine(`why ${event.position}`)} />
    </Card>
  )
}

function Entry({ link }: { readonly link: Link }) {
  const { kind, what, by, actor, version, at, relation, principal } = link
  const level = <span class="hidden">Level {link.depth + 1}: </span>
  const notes = [
    relation === 'this' ? 'this one' : '',
    by,
    principal === null ? '' : `asked by ${principal}`,
    kind === 'entry' && at !== null ? `due ${time(at)}` : '',
  ].filter(text => text !== '')
  const note = notes.length > 0 && <span class="faint"> {notes.join(', ')}</span>
  if (actor === undefined || version === undefined)
    return (
      <>
        {level}
        <span>{what}</span>
        {note}
      </>
    )
  // `TYPE/ID v3 deposited,noted`
  return (
    <>
      {level}
      <Actor name={actor} version={version} />{' '}
      <strong>{what.slice(actor.length + 1).replace(/^\S+ /, '')}</strong>
      {note}
    </>
  )
}
