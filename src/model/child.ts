// Children: work that runs beside an actor while the actor's state asks for it.

/** A child that a state asks for. */
export interface ChildSpec {
  /** Identifies this start of the child, in every retry and on every node: `trip/t1/7#payment`. */
  readonly key: string
  /** Starts it. Throws if it cannot be started. */
  start(context: ChildContext): RunningChild
}

export interface RunningChild {
  /** Whether it ends by itself: it does one thing, and reports how it went. Default false. */
  readonly endsByItself?: boolean
  /** Called when the state no longer asks for it. Never throws. */
  stop(): void
}

/** What a running child may call. */
export interface ChildContext {
  /** Sends a command to its actor, with retries, unless the child is stopped first. */
  tell(command: string, data: unknown): void
  /** Sends the command for its end, which takes effect once even if it is sent several times. */
  end(end: ChildEnd): void
  /** Reports a failure to the log. */
  failed(what: string, error: unknown): void
}

/** How a child has ended, as a command to its actor. */
export interface ChildEnd {
  readonly command: string
  readonly data: unknown
  /** Returns the end to send instead, if the data of this one cannot be stored. */
  readonly instead?: (error: unknown) => ChildEnd
}
