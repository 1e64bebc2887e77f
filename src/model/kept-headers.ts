// Headers that pass through a node that does not know them.

/** A record that is stored again, such as a command that is redriven or a timer that repeats. */
export interface KeptHeaders {
  /**
   * The headers of its record that this build does not know, as they are stored: another program or a newer build wrote
   * them. They are written again with the record.
   */
  readonly otherHeaders?: Readonly<Record<string, string>>
}
