// Requests to the API of the node that has served this page.

export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>

  constructor(status: number, code: string, detail: string, details = {}) {
    super(detail)
    this.status = status
    this.code = code
    this.details = details
  }
}

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly body?: unknown
  readonly signal?: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
}

const tokenKey = 'cairn-token'

/** Kept for this tab alone. */
export const token = {
  get: () => sessionStorage.getItem(tokenKey) ?? '',
  set: (value: string) => sessionStorage.setItem(tokenKey, value),
  clear: () => sessionStorage.removeItem(tokenKey),
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** A path with encoded parts and a query without what is undefined: `path('actors', id)({ limit: 5 })`. */
export function url(parts: readonly string[], query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') search.set(name, String(value))
  const text = search.toString()
  return `/v1/${parts.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`
}

/** Throws an {@link ApiError}; one without a status if no node answers. */
export async function send(path: string, options: RequestOptions = {}) {
  const { method = 'GET', body, signal, headers } = options
  const login = token.get()
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(login !== '' && { authorization: `Bearer ${login}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    })
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw new ApiError(
      0,
      'unreachable',
      'The node does not answer. This page tries again.',
    )
  }
  if (response.ok) return response
  throw await problemOf(response)
}

export async function get<T>(path: string, options?: RequestOptions): Promise<T> {
  return (await (await send(path, options)).json()) as T
}

async function problemOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as {
    readonly code?: string
    readonly detail?: string
    readonly details?: Readonly<Record<string, unknown>>
  }
  const { code = 'internal', detail = response.statusText, details } = problem
  return new ApiError(response.status, code, detail, details)
}
