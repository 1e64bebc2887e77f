// The options of the HTTP door, their defaults and their checks.

import { checkOptions, type OptionNames } from '../model/check-options.js'
import type { WithDefaults } from '../model/defined.js'
import { CairnError } from '../model/errors.js'
import type { Logger } from '../model/log.js'
import { show } from '../model/show.js'
import {
  type Allow,
  type AllowByRole,
  type AllowRules,
  checkAllow,
} from './allow-option.js'
import { type Principal, type Role, roles } from './principal.js'

/** Finds out who asks; `undefined` for nobody who is known. */
export type Authenticate = (
  request: Request,
) => Principal | undefined | Promise<Principal | undefined>

/** Pages for people: files that hold nothing of the namespace, and get what they show from the API. */
export type Pages = (request: Request) => Response | undefined

export interface HttpOptions {
  /** Answers what is no route of the API: the console of `@cairn-es/console`. Default: nothing does. */
  readonly pages?: Pages | undefined
  /** A file of lines `TOKEN PRINCIPAL ROLE[,ROLE]`. A request has its token in `Authorization: Bearer TOKEN`. */
  readonly tokens?: string | undefined
  /** Finds out who asks, in place of tokens. */
  readonly authenticate?: Authenticate | undefined
  /** What a request without a login may do. Default: nothing. */
  readonly anonymous?: readonly Role[] | undefined
  /** Which routes and actor types requests may use, for everybody or by role. Default: all that their roles permit. */
  readonly allow?: Allow | AllowByRole | undefined
  /** Names by which requests may reach this server, beside `localhost` and addresses; `['*']` for any. Default: none. */
  readonly hosts?: readonly string[] | undefined
  /** Origins of other sites whose pages may send requests: `https://console.example`. Default: none. */
  readonly origins?: readonly string[] | undefined
  /** The most bytes of a request's body. Default 1 MiB. */
  readonly bodyBytesMax?: number | undefined
  /** Milliseconds that a request may take, streams excepted. Default 30,000. */
  readonly timeout?: number | undefined
  /** The most streams of server-sent events that are open at a time. Default 1,000. */
  readonly streamsMax?: number | undefined
  /** Where unexpected errors are written. Default: as for a node. */
  readonly log?: Logger | false | undefined
}

const names: OptionNames<HttpOptions> = {
  pages: true,
  tokens: true,
  authenticate: true,
  anonymous: true,
  allow: true,
  hosts: true,
  origins: true,
  bodyBytesMax: true,
  timeout: true,
  streamsMax: true,
  log: true,
}

export type HttpSettings = WithDefaults<
  Omit<HttpOptions, 'allow'>,
  'anonymous' | 'hosts' | 'origins' | 'bodyBytesMax' | 'timeout' | 'streamsMax'
> & { readonly allow: AllowRules }

/** Throws `invalid-option`. */
export function checkHttpOptions(options: HttpOptions): HttpSettings {
  checkOptions('httpHandler', options, names)
  for (const name of ['anonymous', 'hosts', 'origins'] as const)
    if (options[name] !== undefined && !isListOfText(options[name]))
      throw new CairnError(
        'invalid-option',
        `${name} of httpHandler is ${show(options[name])}: pass a list of text, ${name}: ['…'].`,
      )
  for (const name of ['authenticate', 'pages'] as const)
    if (options[name] !== undefined && typeof options[name] !== 'function')
      throw new CairnError(
        'invalid-option',
        `${name} of httpHandler is ${show(options[name])}: pass a function of the request.`,
      )
  if (options.tokens !== undefined && typeof options.tokens !== 'string')
    throw new CairnError(
      'invalid-option',
      `tokens of httpHandler is ${show(options.tokens)}: pass the name of a file.`,
    )
  const settings: HttpSettings = {
    ...options,
    anonymous: options.anonymous ?? [],
    allow: checkAllow(options.allow),
    hosts: (options.hosts ?? []).map(host => host.toLowerCase()),
    origins: (options.origins ?? []).map(originOf),
    bodyBytesMax: options.bodyBytesMax ?? 1024 * 1024,
    timeout: options.timeout ?? 30_000,
    streamsMax: options.streamsMax ?? 1_000,
  }
  if (options.tokens !== undefined && options.authenticate !== undefined)
    throw new CairnError(
      'invalid-option',
      'httpHandler has tokens and authenticate: pass one of the two.',
    )
  for (const role of settings.anonymous)
    if (!roles.includes(role))
      throw new CairnError(
        'invalid-option',
        `anonymous has ${show(role)}: use ${roles.join(', ')}.`,
      )
  for (const name of ['bodyBytesMax', 'timeout', 'streamsMax'] as const)
    if (!Number.isSafeInteger(settings[name]) || settings[name] < 1)
      throw new CairnError(
        'invalid-option',
        `${name} of httpHandler is ${show(settings[name])}: use a whole number from 1.`,
      )
  return settings
}

function isListOfText(value: unknown): boolean {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}

function originOf(given: string): string {
  const { origin } = URL.canParse(given) ? new URL(given) : { origin: 'null' }
  if (origin !== 'null' && (given === origin || given === `${origin}/`)) return origin
  throw new CairnError(
    'invalid-option',
    `${show(given)} is not an origin: write it as https://console.example, without a path.`,
  )
}
