// Queues and documents that a crashed node reaches no more.

import type { Queues } from '../backend/backend.js'
import type { Documents } from '../store/documents/documents.js'
import type { Queue } from '../store/queue/queue.js'
import type { ReadModels } from '../store/read-models/read-models.js'
import type { Timers } from '../store/timers/timers.js'
import type { Line } from './line.js'

export function faultyQueues(queues: Queues, line: Line): Queues {
  return {
    inbox: faultyQueue(queues.inbox, line),
    topic: faultyQueue(queues.topic, line),
    dead: faultyQueue(queues.dead, line),
  }
}

export function faultyDocuments(documents: Documents, line: Line): Documents {
  return {
    async get(key) {
      line.check()
      return line.up('document is read', documents.get(key))
    },
    async list(prefix, options) {
      line.check()
      return line.up('documents are listed', documents.list(prefix, options))
    },
    async put(key, value, revision) {
      line.check()
      return line.up('document is put', documents.put(key, value, revision))
    },
    async remove(key, revision) {
      line.check()
      return line.up('document is removed', documents.remove(key, revision))
    },
  }
}

export function faultyReadModels(models: ReadModels, line: Line): ReadModels {
  return {
    open(name) {
      const model = models.open(name)
      const checked = <T>(work: () => Promise<T>): Promise<T> => {
        line.check()
        return line.up('read model is answered', work())
      }
      return {
        checkpoint: async () => checked(() => model.checkpoint()),
        get: async (keys, options) => checked(() => model.get(keys, options)),
        write: async (write, revision) => checked(() => model.write(write, revision)),
        entries: options => line.each('row is read', model.entries(options)),
        drop: async () => checked(() => model.drop()),
      }
    },
  }
}

export function faultyTimers(timers: Timers, line: Line): Timers {
  return {
    async set(timer, options) {
      line.check()
      return line.up('timer is set', timers.set(timer, options))
    },
    async advance(timer, options) {
      line.check()
      return line.up('timer is advanced', timers.advance(timer, options))
    },
    async cancel(actor, name, before, options) {
      line.check()
      return line.up('timer is cancelled', timers.cancel(actor, name, before, options))
    },
    async get(actor, name, options) {
      line.check()
      return line.up('timer is read', timers.get(actor, name, options))
    },
    list: options => line.each('timer is listed', timers.list(options)),
    async nextDueAt() {
      line.check()
      return line.up('timers are checked', timers.nextDueAt())
    },
    place: timers.place,
    async completeness(options) {
      line.check()
      return line.up('timers are checked', timers.completeness(options))
    },
    async setComplete(options) {
      line.check()
      return line.up('timers are marked', timers.setComplete(options))
    },
    due: faultyQueue(timers.due, line),
    run: (clock, signal) => timers.run(clock, AbortSignal.any([signal, line.down])),
    close: () => timers.close(),
  }
}

function faultyQueue(queue: Queue, line: Line): Queue {
  return {
    name: queue.name,
    async put(record, options) {
      line.check()
      return line.up(`${queue.name} takes a record`, queue.put(record, options))
    },
    read: options => line.each(`${queue.name} is read`, queue.read(options)),
    follow: ({ signal, ...options }) => {
      const either = AbortSignal.any([signal, line.down])
      return line.each(
        `${queue.name} delivers`,
        queue.follow({ ...options, signal: either }),
      )
    },
    async lastPosition(options) {
      line.check()
      return line.up(`${queue.name} is read`, queue.lastPosition(options))
    },
    async remove(positions) {
      line.check()
      return line.up(`${queue.name} removes records`, queue.remove(positions))
    },
    close: () => queue.close(),
  }
}
