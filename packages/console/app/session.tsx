// Who uses the console, on which node, and what they may do.

import { createContext } from 'preact'
import { useContext } from 'preact/hooks'

import type { Me, Role, Self } from './types.ts'

export interface Session {
  readonly me: Me
  readonly self: Self
}

export const SessionContext = createContext<Session | undefined>(undefined)

export function useSession(): Session {
  return useContext(SessionContext)!
}

export function useRole(role: Role): boolean {
  return useSession().me.roles.includes(role)
}

/** The command line that does the same. */
export function useCommandLine(): (words: string) => string {
  const { namespace } = useSession().self
  return words => `cairn ${words} --ns ${namespace}`
}
