// Reflection: tells tools such as grpcurl which services there are, and their contracts.

import { create, type DescFile, type DescService, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { Code, type ServiceImpl } from '@connectrpc/connect'

import * as pb from '../gen/grpc/reflection/v1/reflection_pb.js'

export function reflectionService(
  services: readonly DescService[],
): ServiceImpl<typeof pb.ServerReflection> {
  const files = new Map<string, DescFile>()
  const symbols = new Map<string, DescFile>()
  for (const { file } of services) addFile(file, files, symbols)

  function answer({ messageRequest }: pb.ServerReflectionRequest) {
    switch (messageRequest.case) {
      case 'listServices': {
        const service = services.map(({ typeName: name }) => ({ name }))
        const value = create(pb.ListServiceResponseSchema, { service })
        return { case: 'listServicesResponse', value } as const
      }
      case 'fileByFilename':
        return fileOr(files.get(messageRequest.value), `file ${messageRequest.value}`)
      case 'fileContainingSymbol':
        return fileOr(findSymbol(messageRequest.value, symbols), messageRequest.value)
      default:
        return failure(Code.Unimplemented, 'The door answers for files and symbols only.')
    }
  }

  return {
    async *serverReflectionInfo(requests) {
      for await (const originalRequest of requests)
        yield { originalRequest, messageResponse: answer(originalRequest) }
    },
  }
}

function addFile(
  file: DescFile,
  files: Map<string, DescFile>,
  symbols: Map<string, DescFile>,
): void {
  if (files.has(file.proto.name)) return
  files.set(file.proto.name, file)
  for (const { typeName } of [...file.messages, ...file.enums, ...file.services])
    symbols.set(typeName, file)
  for (const dependency of file.dependencies) addFile(dependency, files, symbols)
}

/** The file of a type or service, also by the name of one of its methods, fields or nested types. */
function findSymbol(
  name: string,
  symbols: ReadonlyMap<string, DescFile>,
): DescFile | undefined {
  for (
    let rest = name;
    rest !== '';
    rest = rest.slice(0, Math.max(0, rest.lastIndexOf('.')))
  ) {
    const file = symbols.get(rest)
    if (file !== undefined) return file
  }
  return undefined
}

function fileOr(file: DescFile | undefined, what: string) {
  if (file === undefined) return failure(Code.NotFound, `The door has no ${what}.`)
  const value = create(pb.FileDescriptorResponseSchema, {
    fileDescriptorProto: withDependencies(file).map(({ proto }) =>
      toBinary(FileDescriptorProtoSchema, proto),
    ),
  })
  return { case: 'fileDescriptorResponse', value } as const
}

function withDependencies(
  file: DescFile,
  found = new Set<DescFile>(),
): readonly DescFile[] {
  if (!found.has(file)) {
    found.add(file)
    for (const dependency of file.dependencies) withDependencies(dependency, found)
  }
  return [...found]
}

function failure(code: Code, errorMessage: string) {
  const value = create(pb.ErrorResponseSchema, { errorCode: code, errorMessage })
  return { case: 'errorResponse', value } as const
}
