// Asks for a token where the server wants one.

import { useState } from 'preact/hooks'

import { token } from '../api.ts'

export function LoginPage({ onToken }: { onToken(): void }) {
  const [value, setValue] = useState('')
  const [isRefused, setRefused] = useState(token.get() !== '')
  return (
    <main class="start">
      <form
        class="card login"
        onSubmit={event => {
          event.preventDefault()
          token.set(value.trim())
          setRefused(true)
          onToken()
        }}
      >
        <img src="/icon.svg" alt="" width="44" height="44" />
        <h1>Cairn</h1>
        <label class="field">
          <span>Token</span>
          <input
            type="password"
            autocomplete="current-password"
            value={value}
            onInput={event => setValue(event.currentTarget.value)}
            required
          />
        </label>
        {isRefused && (
          <p class="note bad" role="alert">
            This node does not know the token.
          </p>
        )}
        <button type="submit" class="primary">
          Log in
        </button>
        <p class="hint">
          A line of the file that the node was given as <code>--http-tokens</code>. It is
          kept in this tab alone.
        </p>
      </form>
    </main>
  )
}
