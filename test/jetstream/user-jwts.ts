// An operator, an account with JetStream and its users, as JWTs that a server takes from its configuration.

import { createHash, randomBytes } from 'node:crypto'
import { nkeys } from 'nats'

type KeyPair = ReturnType<typeof nkeys.createUser>

const base64 = (data: string | Uint8Array) => Buffer.from(data).toString('base64url')

function jwt(issuer: KeyPair, subject: KeyPair, nats: object, expires?: number): string {
  const claims = {
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name: 'test',
    jti: createHash('sha256').update(randomBytes(16)).digest('hex'),
    ...(expires !== undefined && { exp: expires }),
    nats: { version: 2, ...nats },
  }
  const header = { typ: 'JWT', alg: 'ed25519-nkey' }
  const text = `${base64(JSON.stringify(header))}.${base64(JSON.stringify(claims))}`
  return `${text}.${base64(issuer.sign(Buffer.from(text)))}`
}

const unlimited = { subs: -1, data: -1, payload: -1 }
const storage = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 }

export function accountWithUsers() {
  const [operator, account, system] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
  ]
  const limits = {
    ...unlimited,
    imports: -1,
    exports: -1,
    wildcards: true,
    conn: -1,
    leaf: -1,
  }
  const jwts = {
    operator: jwt(operator, operator, {
      type: 'operator',
      system_account: system.getPublicKey(),
    }),
    account: jwt(operator, account, {
      type: 'account',
      limits: { ...limits, ...storage },
    }),
    system: jwt(operator, system, { type: 'account', limits }),
  }
  const config = `
operator: ${jwts.operator}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload: {
  ${account.getPublicKey()}: ${jwts.account}
  ${system.getPublicKey()}: ${jwts.system}
}`
  return {
    config,
    /** The contents of a credentials file for a new user. */
    credsOf({ expiresIn }: { readonly expiresIn?: number } = {}): string {
      const user = nkeys.createUser()
      const expires =
        expiresIn === undefined ? undefined : Math.floor(Date.now() / 1000) + expiresIn
      const claims = { type: 'user', ...unlimited }
      const seed = Buffer.from(user.getSeed()).toString()
      return `-----BEGIN NATS USER JWT-----
${jwt(account, user, claims, expires)}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`
    },
  }
}
