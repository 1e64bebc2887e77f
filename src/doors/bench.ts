// What the benchmarks' bare programs are made of: they store the same bytes on the same subjects as
// Cairn. It is not a public door.

export { encodeCommit } from '../codec/envelope.js'
export { newId } from '../model/id.js'
export { defaultPartitions } from '../model/partition.js'
export {
  logStream,
  logSubject,
  queuedSubjects,
  queueSubject,
  timerSubject,
} from '../nats/subjects.js'
export {
  encodeHead,
  encodeLogRecord,
  extendRun,
  headKey,
  indexKey,
  positionKey,
} from '../store/lmdb/layout.js'
