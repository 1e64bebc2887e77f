// Requests as metrics name them: by the routes of the table, never by paths, so that there are few.

import { routes } from './routes/routes.js'

const patterns = [...new Set(routes.map(({ path }) => path))].map(path => ({
  path,
  pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}))
const otherRoutes = ['/healthz', '/readyz', '/metrics', '/v1/openapi.json']

export function routeOf({ url }: Request): string {
  const { pathname } = new URL(url)
  if (otherRoutes.includes(pathname)) return pathname
  return patterns.find(({ pattern }) => pattern.test(pathname))?.path ?? 'other'
}

const methods = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS']

export function methodOf({ method }: Request): string {
  return methods.includes(method) ? method : 'other'
}
