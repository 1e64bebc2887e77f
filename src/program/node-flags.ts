// The flags of the program that runs a node, for the program itself and for the command line that calls it.

import { actorFlags } from './actors-file.js'
import type { FlagSpec } from './flags.js'
import { grpcFlags } from './grpc-door.js'
import { httpFlags, httpHelp } from './http.js'

export const nodeFlags = {
  id: { type: 'string' },
  'log-level': { type: 'string' },
  replicas: { type: 'string' },
  timers: { type: 'string' },
  'no-create': { type: 'boolean' },
  ...httpFlags,
  ...grpcFlags,
  ...actorFlags,
} as const satisfies FlagSpec

export const nodeAbout = `Runs a node: it hosts actors of the given types and handles their commands. Without --actors and --demo it
hosts none; it still delivers durable commands and fires due timers for the other nodes.
`

export const nodeFlagsHelp = `  --id ID            the node's id (default: a new one)
  --actors FILE      run the definitions that this module exports: actors, reactors and
                     projections; JavaScript or TypeScript; may be repeated
  --demo             serve the demo's definitions: account and trip
  --replicas N       1, 3 or 5 copies of the namespace's stream in a NATS cluster (default: 1);
                     for a stream that does not exist yet, else "nats stream edit" changes it
  --timers MODE      active (default), or passive: it sets timers, and other nodes fire them
  --grpc HOST:PORT   also serve gRPC, gRPC-web and JSON there, for other languages (or unix:PATH);
                     needs the package @cairn-es/grpc
  --grpc-tokens FILE who may do what: lines TOKEN PRINCIPAL ROLE[,ROLE] with the roles reader,
                     writer, operator; needed unless it is on 127.0.0.1
  --grpc-cert FILE, --grpc-key FILE  its certificate and key; --grpc-client-ca FILE demands
                     certificates of clients
  --no-create        refuse a namespace that does not exist, instead of creating it
${httpHelp}  --log-level LEVEL  trace, debug, info (default), warn, error or silent
`

/** The variable that makes a node drain when the process that started it, with a channel to it, has ended. */
export const endsWithParent = 'CAIRN_ENDS_WITH_PARENT'

export const nodeExits = `Logs JSON lines to stdout; it serves from the line "node ready" on. Exit codes: 0 stopped
by a signal, 1 failed, 2 usage, 3 unreachable.`
