// The key-value buckets of a namespace: its documents and its read models.

import {
  type DeclaredStream,
  differenceIn,
  differencesOf,
  namespaceStreamConfig,
  type StreamConfig,
} from './stream.js'
import { documentsBucketOf, readModelsBucketOf } from './subjects.js'

export function declareDocuments(namespace: string, replicas: number): DeclaredStream {
  const bucket = documentsBucketOf(namespace)
  const wanted = bucketConfig(namespace, bucket, 'documents', replicas)
  return { what: 'bucket', wanted, differences: actual => differencesOf(actual, wanted) }
}

export function declareReadModels(namespace: string, replicas: number): DeclaredStream {
  const bucket = readModelsBucketOf(namespace)
  const wanted: StreamConfig = {
    ...bucketConfig(namespace, bucket, 'read models', replicas),
    // Rows and their checkpoint are written as one atomic batch.
    allow_atomic: true,
  }
  const differences = (actual: StreamConfig) => [
    ...differencesOf(actual, wanted),
    ...differenceIn('allow_atomic', actual.allow_atomic ?? false, true),
  ]
  return { what: 'bucket', wanted, differences }
}

function bucketConfig(
  namespace: string,
  { stream, prefix }: { readonly stream: string; readonly prefix: string },
  what: string,
  replicas: number,
): StreamConfig {
  return namespaceStreamConfig(namespace, {
    name: stream,
    description: `Cairn: ${what} of namespace ${namespace}`,
    subjects: [`${prefix}.>`],
    max_msgs_per_subject: 1,
    num_replicas: replicas,
    allow_rollup_hdrs: true,
    deny_delete: true,
  })
}
