// Asks before anything is changed, and shows the command line that does the same.

import { createContext, type ComponentChildren } from 'preact'
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks'

import { ApiError } from '../api.ts'
import { Code, Trouble } from './basics.tsx'

export interface Question {
  readonly title: string
  readonly text: ComponentChildren
  /** What the button says. */
  readonly verb: string
  readonly isDangerous?: boolean
  readonly commandLine: string | ((reason: string) => string)
  /** Asks for a reason, which `run` gets. */
  readonly wantsReason?: boolean
  run(reason: string): Promise<void>
}

type Ask = (question: Question) => void

const ConfirmContext = createContext<Ask>(() => {})

/** A function that asks the user. */
export function useConfirm(): Ask {
  return useContext(ConfirmContext)
}

export function ConfirmProvider({ children }: { readonly children: ComponentChildren }) {
  const [question, setQuestion] = useState<Question>()
  const close = useCallback(() => setQuestion(undefined), [])
  return (
    <ConfirmContext.Provider value={setQuestion}>
      {children}
      {question !== undefined && <Confirm question={question} onClose={close} />}
    </ConfirmContext.Provider>
  )
}

function Confirm({
  question,
  onClose,
}: {
  readonly question: Question
  onClose(): void
}) {
  const { title, text, verb, isDangerous = false, commandLine, wantsReason } = question
  const dialog = useRef<HTMLDialogElement>(null)
  const [reason, setReason] = useState('')
  const [isRunning, setRunning] = useState(false)
  const [error, setError] = useState<ApiError>()
  useEffect(() => dialog.current?.showModal(), [])
  const run = async (event: Event) => {
    event.preventDefault()
    setRunning(true)
    setError(undefined)
    try {
      await question.run(reason)
      dialog.current?.close()
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem
      setError(problem)
    } finally {
      setRunning(false)
    }
  }
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onClose={onClose}>
      <form onSubmit={event => void run(event)}>
        <h2 id="confirm-title">{title}</h2>
        <div class="dialog-text">{text}</div>
        {wantsReason === true && (
          <label class="field">
            <span>Reason (kept in the audit trail)</span>
            <input
              value={reason}
              onInput={event => setReason(event.currentTarget.value)}
            />
          </label>
        )}
        <p class="hint">The same on the command line:</p>
        <Code
          label="the command line"
          text={typeof commandLine === 'string' ? commandLine : commandLine(reason)}
        />
        <Trouble error={error} />
        <div class="dialog-buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button
            type="submit"
            class={isDangerous ? 'danger' : 'primary'}
            disabled={isRunning}
          >
            {verb}
          </button>
        </div>
      </form>
    </dialog>
  )
}
