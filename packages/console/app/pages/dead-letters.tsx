// Dead letters: what was given up and why; sent again or discarded, one or all that are shown.

import { useState } from 'preact/hooks'

import { send, url } from '../api.ts'
import { away, number, quote } from '../format.ts'
import { link } from '../router.ts'
import { useCommandLine, useRole } from '../session.tsx'
import type { DeadLetter } from '../types.ts'
import { Actor, Badge, Card, Empty, Page, Trouble } from '../ui/basics.tsx'
import { useConfirm } from '../ui/confirm.tsx'
import { Json } from '../ui/json.tsx'
import { useApi } from '../use.ts'

export function DeadLettersPage({ reactor }: { readonly reactor: string }) {
  const path = url(['dead-letters'], { reactor, limit: 200 })
  const { value, error, isLoading, reload } = useApi<{
    deadLetters: readonly DeadLetter[]
    next: number | null
  }>(path, 3_000)
  const mayRepair = useRole('operator')
  const commandLine = useCommandLine()
  const ask = useConfirm()
  const letters = value?.deadLetters ?? []
  const reactors = [...new Set(letters.map(one => one.reactor))]
  const where = reactor === '' ? '' : ` --where reactor=${quote(reactor)}`
  const body = reactor === '' ? {} : { reactor }
  const all = (verb: 'retry' | 'discard') => () =>
    ask({
      title: verb === 'retry' ? 'Send all again?' : 'Discard all for good?',
      text:
        verb === 'retry'
          ? `The messages of all dead letters${reactor === '' ? '' : ` of ${reactor}`} go to their reactors again. What fails again comes back here.`
          : `All dead letters of ${reactor} are removed. Nothing can bring them back.`,
      verb: verb === 'retry' ? 'Send all again' : 'Discard all',
      isDangerous: verb === 'discard',
      commandLine: commandLine(`dlq ${verb}-all${where}`),
      async run() {
        await send(url(['dead-letters', verb]), { method: 'POST', body })
        reload()
      },
    })
  return (
    <Page
      title="Dead letters"
      about="Messages that a reactor has given up. They wait here, and nothing is lost."
      actions={
        mayRepair && letters.length > 0 ? (
          <>
            {reactor !== '' && (
              <button type="button" class="danger" onClick={all('discard')}>
                Discard all…
              </button>
            )}
            <button type="button" class="primary" onClick={all('retry')}>
              Send all again…
            </button>
          </>
        ) : undefined
      }
    >
      <form class="filters" onSubmit={event => event.preventDefault()}>
        <label class="field">
          <span>Reactor</span>
          <select
            value={reactor}
            onChange={event => {
              const chosen = event.currentTarget.value
              location.hash = link(
                ['dead-letters'],
                chosen === '' ? {} : { reactor: chosen },
              )
            }}
          >
            <option value="">All reactors</option>
            {[...new Set([...reactors, ...(reactor === '' ? [] : [reactor])])].map(
              name => (
                <option key={name}>{name}</option>
              ),
            )}
          </select>
        </label>
      </form>
      <Trouble error={error} />
      {!isLoading && letters.length === 0 && error === undefined && (
        <Card>
          <Empty>There are no dead letters.</Empty>
        </Card>
      )}
      <ul class="letters">
        {letters.map(letter => (
          <Letter key={letter.position} letter={letter} onDone={reload} />
        ))}
      </ul>
      {value?.next != null && (
        <p class="hint">These are the {number(letters.length)} oldest; there are more.</p>
      )}
    </Page>
  )
}

function Letter({ letter, onDone }: { readonly letter: DeadLetter; onDone(): void }) {
  const { position, reactor, reason, attempts, markedAt, error, message } = letter
  const mayRepair = useRole('operator')
  const commandLine = useCommandLine()
  const ask = useConfirm()
  const [isOpen, setOpen] = useState(false)
  const retry = () =>
    ask({
      title: 'Send it again?',
      text: `${reactor} gets the message again. If it fails again, it comes back here.`,
      verb: 'Send again',
      commandLine: commandLine(`dlq retry ${position}`),
      async run() {
        await send(url(['dead-letters', String(position), 'retry']), {
          method: 'POST',
          body: {},
        })
        onDone()
      },
    })
  const discard = () =>
    ask({
      title: 'Discard it for good?',
      text: 'The dead letter is removed. Nothing can bring it back.',
      verb: 'Discard',
      isDangerous: true,
      commandLine: commandLine(`dlq discard ${position}`),
      async run() {
        await send(url(['dead-letters', String(position)]), { method: 'DELETE' })
        onDone()
      },
    })
  return (
    <li class="card letter">
      <div class="letter-head">
        <div>
          <h2>
            {reactor} <Badge tone="bad">{reason}</Badge>
          </h2>
          <p class="faint">
            {message.topic} · {attempts} {attempts === 1 ? 'attempt' : 'attempts'} · given
            up {away(markedAt)}
            {message.actor !== undefined && (
              <>
                {' '}
                · from <Actor name={message.actor} />
              </>
            )}
          </p>
          <p class="error-text">
            <strong>{error.name}</strong>
            {error.message !== undefined && `: ${error.message}`}
          </p>
        </div>
        <div class="actions">
          <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? 'Less' : 'More'}
          </button>
          {mayRepair && (
            <>
              <button type="button" onClick={discard}>
                Discard…
              </button>
              <button type="button" class="primary" onClick={retry}>
                Send again…
              </button>
            </>
          )}
        </div>
      </div>
      {isOpen && (
        <div class="letter-more">
          {'data' in message ? (
            <Json label={`Data of the message at ${position}`} value={message.data} />
          ) : (
            <Empty>Its data is shown to operators only.</Empty>
          )}
          {error.stack !== undefined && (
            <pre class="scroll" tabIndex={0} role="group" aria-label="Stack">
              {error.stack}
            </pre>
          )}
        </div>
      )}
    </li>
  )
}
