// Who asks over HTTP, and what they may do.

/** `reader` reads; `writer` also sends commands and messages; `operator` also repairs. */
export const roles = ['reader', 'writer', 'operator'] as const

export type Role = (typeof roles)[number]

/** Who asks. */
export interface Principal {
  /** 1 to 256 bytes without control characters; stored in the commits that its commands cause. */
  readonly id: string
  /** `writer` and `operator` include `reader`, and not each other. */
  readonly roles: readonly Role[]
}

/** Whether a principal has a role, or one that includes it. */
export function hasRole(principal: Pick<Principal, 'roles'>, role: Role): boolean {
  return role === 'reader' ? principal.roles.length > 0 : principal.roles.includes(role)
}
