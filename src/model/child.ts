// Children: what runs beside an actor, for as long as its state asks for it.

/** Something that is to run, as a state says. */
export interface Child {
  /** Names this one start of it, in every retry and on every node: `trip/t1/7#payment`. */
  readonly key: string
  /** Starts it; throws when it cannot be started at all. */
  start(ports: ChildPorts): RunningChild
}

export interface RunningChild {
  /** It is wanted no longer. Never throws. */
  stop(): void
}

/** What a child may do. */
export interface ChildPorts {
  /** Sends a command to its actor, sooner or later, unless it is stopped before. */
  tell(command: string, data: unknown): void
  /** The same for how it has ended: acts once, however often it is told. */
  end(end: ChildEnd): void
  failed(what: string, error: unknown): void
}

/** How it has ended, as a command to its actor. */
export interface ChildEnd {
  readonly command: string
  readonly data: unknown
  /** The end to tell instead where this one cannot travel. */
  readonly instead?: (error: unknown) => ChildEnd
}
