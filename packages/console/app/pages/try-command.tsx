// Tries a command at the version that is shown, which stores nothing; or sends it.

import { useState } from 'preact/hooks'

import { ApiError, get, send, url } from '../api.ts'
import { line, quote } from '../format.ts'
import { useCommandLine, useRole, useSession } from '../session.tsx'
import { Badge, Card, Empty, Trouble } from '../ui/basics.tsx'
import { useConfirm } from '../ui/confirm.tsx'
import { Json } from '../ui/json.tsx'
import { DataForm } from '../ui/schema-form.tsx'
import type { JsonSchema } from '../types.ts'
import { useApi } from '../use.ts'

interface CommandSchema {
  readonly name: string
  readonly schema: JsonSchema | null
}

interface Outcome {
  readonly ok: boolean
  readonly version: number
  readonly state: unknown
  readonly events?: readonly { readonly type: string; readonly data?: unknown }[]
  readonly outbox?: readonly unknown[]
  readonly reply?: unknown
  readonly rejection?: { readonly code?: string; readonly message?: string }
}

export function TryCommand({
  type,
  id,
  version,
  state,
}: {
  readonly type: string
  readonly id: string
  readonly version: number
  readonly state: { readonly state: unknown } | undefined
}) {
  const { self } = useSession()
  const commands = self.actors.find(one => one.type === type)?.commands ?? []
  const isWriter = useRole('writer')
  const commandLine = useCommandLine()
  const ask = useConfirm()
  const [command, setCommand] = useState('')
  const [text, setText] = useState('')
  const [outcome, setOutcome] = useState<Outcome>()
  const [error, setError] = useState<ApiError>()
  const [sent, setSent] = useState<string>()
  const chosen = command === '' ? (commands[0] ?? '') : command
  const schemas = useApi<{ commands: readonly CommandSchema[] }>(
    commands.length === 0 ? undefined : url(['types', type, 'commands']),
  )
  const schema = schemas.value?.commands.find(({ name }) => name === chosen)?.schema
  const dataOf = (): { readonly data?: unknown } | undefined => {
    if (text.trim() === '') return {}
    try {
      return { data: JSON.parse(text) as unknown }
    } catch {
      setError(new ApiError(400, 'invalid-json', 'The data is not JSON.'))
      return undefined
    }
  }
  const clear = () => {
    setOutcome(undefined)
    setError(undefined)
    setSent(undefined)
  }
  const tryIt = async () => {
    clear()
    const given = dataOf()
    if (given === undefined) return
    try {
      const answer = await get<Outcome>(url(['actors', type, id, 'what-if']), {
        method: 'POST',
        body: { command: chosen, version, ...given },
      })
      setOutcome(answer)
    } catch (problem) {
      setError(problem as ApiError)
    }
  }
  const sendIt = () => {
    clear()
    const given = dataOf()
    if (given === undefined) return
    const json = 'data' in given ? ` ${quote(JSON.stringify(given.data))}` : ''
    ask({
      title: `Send ${chosen}?`,
      text: `It goes to ${type}/${id} as it is now, and what it decides is stored.`,
      verb: 'Send',
      commandLine: commandLine(`ask ${quote(`${type}/${id}`)} ${chosen}${json}`),
      async run() {
        await send(url(['actors', type, id, 'ask', chosen]), {
          method: 'POST',
          body: given.data ?? null,
        })
        setSent(`${chosen} was accepted.`)
      },
    })
  }
  if (commands.length === 0) return null
  return (
    <Card title="What if">
      <form
        class="try"
        onSubmit={event => {
          event.preventDefault()
          void tryIt()
        }}
      >
        <label class="field">
          <span>Command</span>
          <select
            value={chosen}
            onChange={event => {
              setCommand(event.currentTarget.value)
              setText('')
              clear()
            }}
          >
            {commands.map(name => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <DataForm key={chosen} schema={schema} text={text} onText={setText} />
        <div class="actions">
          <button type="submit">Try at version {version}</button>
          {isWriter && (
            <button
              type="button"
              class="primary"
              onClick={({ currentTarget: { form } }) => {
                if (form!.reportValidity()) sendIt()
              }}
            >
              Send…
            </button>
          )}
        </div>
      </form>
      <Trouble error={error} />
      {sent !== undefined && (
        <p class="note good" role="status">
          {sent}
        </p>
      )}
      {outcome !== undefined && (
        <div class="outcome" role="status">
          {outcome.ok ? (
            <>
              <p>
                <Badge tone="good">would be accepted</Badge> Nothing was stored.
              </p>
              {outcome.events!.length === 0 && <Empty>It decides no event.</Empty>}
              <ul class="tree">
                {outcome.events!.map((one, i) => (
                  <li key={i}>
                    <strong>{one.type}</strong>{' '}
                    <span class="faint">{line(one.data, 80)}</span>
                  </li>
                ))}
                {outcome.outbox!.map((one, i) => (
                  <li key={`outbox-${i}`}>
                    outbox <span class="faint">{line(one, 120)}</span>
                  </li>
                ))}
              </ul>
              <Json
                label="The state after it"
                value={outcome.state}
                {...(state !== undefined && { before: { value: state.state } })}
              />
            </>
          ) : (
            <p>
              <Badge tone="watch">would be rejected</Badge> {outcome.rejection?.code}:{' '}
              {outcome.rejection?.message}
            </p>
          )}
        </div>
      )}
    </Card>
  )
}
