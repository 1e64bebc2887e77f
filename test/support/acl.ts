// Servers with the configuration that `cairn acl` prints.

import { aclOf, type AclOptions } from '../../src/nats/acl.js'
import type { Role } from '../../src/nats/permissions.js'

const variable = /\$([A-Z0-9_]+_PASSWORD)\b/g

/** A printed configuration with each password: its variable in small letters. */
export function withPasswords(config: string): string {
  return config.replace(variable, (_, name: string) => JSON.stringify(name.toLowerCase()))
}

/** The configuration for these namespaces. */
export function aclConfig(namespaces: readonly string[], options?: AclOptions): string {
  return withPasswords(aclOf(namespaces, options))
}

/** Who to be, on a server with such a configuration. */
export function loginOf(
  namespace: string,
  role: Role = 'node',
): { readonly user: string; readonly password: string } {
  const password = `${namespace.replaceAll('-', '_')}_${role === 'node' ? '' : `${role}_`}password`
  return { user: role === 'node' ? namespace : `${namespace}.${role}`, password }
}
