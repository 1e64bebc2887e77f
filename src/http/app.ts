// The router, as the routes of this folder see it: each request comes with its ids.

import type { Hono } from 'hono'

import type { RequestIds } from './causes.js'

export type App = Hono<{ Bindings: { readonly ids: RequestIds } }>
