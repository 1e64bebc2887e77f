// Small parts that every page is made of.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

import type { ApiError } from '../api.ts'
import { actorLink } from '../router.ts'

export type Tone = 'good' | 'watch' | 'bad' | 'info' | 'plain'

export function Badge({
  tone = 'plain',
  children,
}: {
  readonly tone?: Tone
  readonly children: ComponentChildren
}) {
  return <span class={`badge ${tone}`}>{children}</span>
}

export function Page({
  title,
  about,
  actions,
  children,
}: {
  readonly title: ComponentChildren
  readonly about?: ComponentChildren
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}) {
  return (
    <>
      <header class="page-head">
        <div>
          <h1 tabIndex={-1}>{title}</h1>
          {about !== undefined && <p class="about">{about}</p>}
        </div>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </>
  )
}

export function Card({
  title,
  extra,
  flush = false,
  children,
}: {
  readonly title?: string
  readonly extra?: ComponentChildren
  /** Without a margin inside: for tables. */
  readonly flush?: boolean
  readonly children: ComponentChildren
}) {
  return (
    <section class={`card${flush ? ' flush' : ''}`} aria-label={title}>
      {title !== undefined && (
        <div class="card-head">
          <h2>{title}</h2>
          {extra}
        </div>
      )}
      {children}
    </section>
  )
}

/** A table that scrolls sideways by itself, also by the keyboard. */
export function Table({
  label,
  head,
  children,
}: {
  readonly label: string
  readonly head: readonly string[]
  readonly children: ComponentChildren
}) {
  return (
    <div class="scroll" role="group" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map(name => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}

export function Figure({
  label,
  value,
  note,
  tone = 'plain',
  href,
}: {
  readonly label: string
  readonly value: string
  readonly note?: string
  readonly tone?: Tone
  readonly href?: string
}) {
  const inside = (
    <>
      <span class="figure-label">{label}</span>
      <span class="figure-value">{value}</span>
      <span class="figure-note">{note}</span>
    </>
  )
  return href === undefined ? (
    <div class={`figure ${tone}`}>{inside}</div>
  ) : (
    <a class={`figure ${tone}`} href={href}>
      {inside}
    </a>
  )
}

export function Actor({
  name,
  version,
}: {
  readonly name: string
  readonly version?: number
}) {
  const at = name.indexOf('/')
  return (
    <a class="actor" href={actorLink(name, version)}>
      <span class="actor-type">{name.slice(0, at)}/</span>
      {name.slice(at + 1)}
    </a>
  )
}

export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>
}

export function Trouble({ error }: { readonly error: ApiError | undefined }) {
  if (error === undefined) return null
  return (
    <div class="note bad" role="alert">
      <strong>{error.code}</strong>
      <span>{error.message}</span>
    </div>
  )
}

/** Text to copy. */
export function Code({ text, label }: { readonly text: string; readonly label: string }) {
  const [isCopied, setCopied] = useState(false)
  const copy = async () => {
    await navigator.clipboard.writeText(text).catch(() => {})
    setCopied(true)
    setTimeout(() => setCopied(false), 1_500)
  }
  return (
    <div class="code">
      <code>{text}</code>
      <button
        type="button"
        class="quiet"
        onClick={() => void copy()}
        aria-label={`Copy ${label}`}
      >
        {isCopied ? 'Copied' : 'Copy'}
      </button>
    </div>
  )
}
