// The files of the console, for the HTTP door of a node (`pages` of `httpHandler`).
//
// They are read once, and compressed once. Names of files hold a hash of what is in them, so browsers keep them for good;
// the page itself is asked for again each time.

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

interface File {
  readonly plain: Uint8Array<ArrayBuffer>
  readonly compressed: Uint8Array<ArrayBuffer>
  readonly headers: Readonly<Record<string, string>>
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** What the pages may do: nothing but what they bring, and requests to the server that they come from. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

const folder = new URL('./web/', import.meta.url)
const compress = promisify(gzip)

/**
 * The console, as `pages` of an HTTP door: it is then at `/`.
 *
 * ```ts
 * const http = await httpHandler(node, { tokens: 'tokens.txt', pages: await consolePages() })
 * ```
 */
export async function consolePages(): Promise<
  (request: Request) => Response | undefined
> {
  const names = await readdir(folder)
  const files = new Map<string, File>(
    await Promise.all(names.map(async name => [`/${name}`, await open(name)] as const)),
  )
  return request => {
    const { pathname } = new URL(request.url)
    const file = files.get(pathname === '/' ? '/index.html' : pathname)
    if (file === undefined) return undefined
    const { plain, compressed, headers } = file
    if (request.headers.get('if-none-match') === headers['etag'])
      return new Response(null, { status: 304, headers })
    const isCompressed = /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '')
    return new Response(isCompressed ? compressed : plain, {
      headers: { ...headers, ...(isCompressed && { 'content-encoding': 'gzip' }) },
    })
  }
}

async function open(name: string): Promise<File> {
  const plain = new Uint8Array(await readFile(new URL(name, folder)))
  const compressed = new Uint8Array(await compress(plain, { level: 9 }))
  const isPage = name.endsWith('.html')
  return {
    plain,
    compressed,
    headers: {
      'content-type': types[extname(name)] ?? 'application/octet-stream',
      'content-security-policy': policy,
      'cache-control': isPage ? 'no-cache' : 'public, max-age=31536000, immutable',
      etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
      vary: 'accept-encoding',
    },
  }
}
