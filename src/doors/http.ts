// The door `cairn-es/http`: a node over HTTP, in any server that calls a function with a Request.

export type { Allow, AllowByRole } from '../http/allow-option.js'
export type {
  AskAnswer,
  EventAnswer,
  MalformedAnswer,
  RowAnswer,
  RowsAnswer,
  StateAnswer,
  StreamError,
  TailEvent,
  WatchEvent,
} from '../http/answers.js'
export {
  askOptionsOf,
  type Asker,
  type RequestAskOptions,
  type RequestWithHeaders,
} from '../http/ask-options.js'
export type { HeaderReader } from '../http/headers.js'
export { httpHandler, type HttpHandler } from '../http/handler.js'
export type { Authenticate, HttpOptions, Pages } from '../http/options.js'
export {
  type ProblemAnswer,
  type ProblemDetails,
  problemOf,
  type ProblemOptions,
} from '../http/problem-of.js'
export type { Principal, Role } from '../http/principal.js'
export { type HttpServer, serveHttp, type ServeOptions } from '../http/serve.js'
