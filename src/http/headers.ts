// The headers of a request, of whatever server.

/** What is read of the headers of a request; names are in lower case. */
export interface HeaderReader {
  get(name: string): string | null
  has(name: string): boolean
}

/** A request whose headers can be read. */
export interface ReadRequest {
  readonly headers: HeaderReader
}
