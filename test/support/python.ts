// Python with gRPC, as Debian has it (python3-grpcio, python3-protobuf, protobuf-compiler, libprotobuf-dev), for plugins in tests.

import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'

/** Debian's, not another one on the PATH. */
export const python = process.env['CAIRN_PYTHON'] ?? '/usr/bin/python3'

/** Why Python cannot be used here; `false` if it can. */
export const pythonIsMissing: string | false = missing()

function missing(): string | false {
  try {
    execFileSync(python, ['-c', 'import grpc, google.protobuf'], { stdio: 'ignore' })
    // The contracts import definitions that come with protoc, in a package of their own.
    const contract = 'proto/cairn/v1/data.proto'
    const args = ['-I', 'proto', '--descriptor_set_out=/dev/null', contract]
    execFileSync('protoc', args, { stdio: 'ignore' })
    return false
  } catch {
    return `${python} with grpc and protobuf, or protoc, is not installed`
  }
}

/** Makes the code of the contracts in a folder, and returns the environment that finds it. */
export function pythonEnvironment(folder: string): NodeJS.ProcessEnv {
  mkdirSync(folder, { recursive: true })
  execFileSync('examples/11-python-plugin/generate.sh', [folder])
  return { PYTHONPATH: `${folder}:examples/11-python-plugin`, PYTHONUNBUFFERED: '1' }
}
