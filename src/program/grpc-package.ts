// The package with the gRPC door, which is installed beside this one by those who need it. It imports this package, so it
// is loaded by its name, and only its names that the programs use are known here.

import type { Backend } from '../backend/backend.js'
import { CairnError } from '../model/errors.js'
import type { Logger } from '../model/log.js'
import type { Node } from '../runtime/node.js'

const packageName = '@cairn-es/grpc'

interface GrpcPackage {
  serveGrpc(options: {
    readonly node: Node
    readonly backend: Backend
    readonly listen: string
    readonly tls?: {
      readonly cert: Buffer
      readonly key: Buffer
      readonly clientCa?: Buffer
    }
    readonly tokens?: readonly unknown[]
    readonly log?: Logger
  }): Promise<{ readonly address: string; close(): Promise<void> }>
  parseTokens(text: string): readonly unknown[]
  runPlugin(options: {
    readonly namespace: string
    readonly backend: Backend
    readonly command: readonly string[]
    readonly plugin?: { readonly name: string; readonly version?: string }
    readonly signal: AbortSignal
    readonly onEvent?: (event: PluginEvent) => void
  }): Promise<void>
}

/** What a run of a plugin tells. */
export interface PluginEvent {
  readonly kind: string
  readonly [field: string]: unknown
}

/** Throws `invalid-option` if it is not installed. */
export async function loadGrpcPackage(): Promise<GrpcPackage> {
  try {
    return (await import(packageName)) as GrpcPackage
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new CairnError(
      'invalid-option',
      `This needs the package ${packageName}, which is not installed: npm install ${packageName}.`,
      { cause },
    )
  }
}
