// Certificates for the tests of TLS, made anew in each run: an authority, and what it signs.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { generate } from 'selfsigned'

const day = 24 * 60 * 60 * 1000

export interface Pem {
  readonly cert: string
  readonly key: string
}

/** Files, as the options of a client and the configuration of a server name them. */
export type PemFiles = Pem

export interface CertificateOptions {
  /** Names and addresses that it is for. Default: 127.0.0.1 and localhost. */
  readonly hosts?: readonly string[]
  /** Days from now from which, and to which, it is valid. Default: -1 and 30. */
  readonly from?: number
  readonly to?: number
  readonly authority: Pem
}

export async function makeAuthority(name: string): Promise<Pem> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  return { cert, key }
}

export async function makeCertificate(options: CertificateOptions): Promise<Pem> {
  const { hosts = ['127.0.0.1', 'localhost'], from = -1, to = 30, authority } = options
  const { cert, private: key } = await generate(
    [{ name: 'commonName', value: hosts[0] ?? 'client' }],
    {
      keyType: 'ec',
      algorithm: 'sha256',
      notBeforeDate: new Date(Date.now() + from * day),
      notAfterDate: new Date(Date.now() + to * day),
      ca: authority,
      extensions: [
        { name: 'basicConstraints', cA: false, critical: true },
        { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
        {
          name: 'subjectAltName',
          altNames: hosts.map(host =>
            /^[\d.]+$/.test(host) ? { type: 7, ip: host } : { type: 2, value: host },
          ),
        },
      ],
    },
  )
  return { cert, key }
}

/** Writes both into a folder, under a name. */
export async function writePem(dir: string, name: string, pem: Pem): Promise<PemFiles> {
  await mkdir(dir, { recursive: true })
  const files = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) }
  await writeFile(files.cert, pem.cert)
  await writeFile(files.key, pem.key, { mode: 0o600 })
  return files
}
