// The scripts of the package that find, download and start a nats-server. They are plain JavaScript, because a checkout runs them
// before it is built.

const scripts = new URL('../../scripts/nats-server.mjs', import.meta.url)

export interface ServerScripts {
  /** Throws if there is none; the message lists what was tried. */
  ensureNatsServer(options: {
    /** Whether one is downloaded if none is found. Default true. */
    readonly download?: boolean
    readonly signal?: AbortSignal | undefined
  }): Promise<{ readonly path: string }>
  startServer(options: StartServerOptions): Promise<StartedServer>
}

interface StartServerOptions {
  /** Of the executable. */
  readonly path: string
  /** Where its configuration, log and data go. */
  readonly dir: string
  readonly name?: string
  /** Default: a free one. */
  readonly port?: number
  /** `always`, or a duration such as `10s`. Default: the server's own. */
  readonly syncInterval?: string
  readonly signal?: AbortSignal | undefined
}

export interface StartedServer {
  readonly url: string
  readonly version: string
  /** Resolves with how it ended; never rejects. */
  readonly ended: Promise<string>
  stop(): Promise<void>
}

export async function loadServerScripts(): Promise<ServerScripts> {
  return (await import(scripts.href)) as ServerScripts
}
