// Namespaces in a directory of this machine: without a server, durable, for any number of
// processes.

import { checkNamespace } from '../model/address.js'
import { checkOptions } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import type { Backend } from './backend.js'

export interface EmbeddedOptions {
  /** Directory of the data; created if missing. Each namespace is a file in it. */
  readonly dir: string
}

/**
 * Stores namespaces in a directory, on LMDB. Every commit is fsynced before it is acknowledged, so
 * it survives a crash of the process and of the machine. Several processes may open
 * the same directory at once.
 *
 * Opening throws `foreign-directory`, `damaged-file`, `storage-failed`, `invalid-option` or
 * `invalid-namespace`.
 */
export function embedded(options: EmbeddedOptions): Backend {
  checkOptions('embedded', options, { dir: true })
  const { dir } = options
  if (typeof dir !== 'string' || dir === '')
    throw new CairnError(
      'invalid-option',
      'embedded({ dir }) needs a directory: pass its path.',
    )
  // Loaded when needed: a process starts sooner without the libraries of stores that it does not use.
  const load = () => import('./embedded-namespace.js')
  return {
    kind: 'embedded',
    namespaces: async () => (await load()).namespacesIn(dir),
    async remove(namespace) {
      checkNamespace(namespace)
      await (await load()).removeFiles(dir, namespace)
    },
    async open(options) {
      checkNamespace(options.namespace)
      return await (await load()).openEmbedded(dir, options)
    },
  }
}
