// Snapshots: the states of actors that are too large for a commit, compressed and in chunks, beside the log. They are kept as a read
// model for each actor, so every store has them. Every promise here is checked by one suite (test/contract/snapshots.ts).
//
//   _snapshot-<hash of the actor>   rows: manifest, a/0, a/1 … or b/0, b/1 …
//
// SNAPSHOT-1. A reader gets a whole snapshot, or none: the manifest is written last, and names the slot, the number of chunks and
//     the checksum of everything. What does not match is not used.
// SNAPSHOT-2. Chunks are written into the slot that the manifest does not name. A writer that dies leaves chunks which nobody
//     reads, and which the next writer overwrites.
// SNAPSHOT-3. Of two writers at the same time one gives up: each write expects the revision of the one before.
// SNAPSHOT-4. It is disposable: whatever happens to it, the state is folded from the log. Whether it is of this log is for its
//     reader to find out, by the commit that it names.

import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { deflate, inflate } from 'node:zlib'

import { encode } from '../../codec/msgpack.js'
import { type ActorAddress, formatAddress } from '../../model/address.js'
import { isCairnError, messageOf } from '../../model/errors.js'
import { defined } from '../../model/defined.js'
import type { Position, Version } from '../../model/version.js'
import { throwIfAborted } from '../../model/wait.js'
import type { ReadModel, ReadModels } from '../read-models/read-models.js'

/** A state, and where in the history it is. */
export interface Snapshot {
  /** The version of the behavior that has folded it. */
  readonly behavior: number
  /** The versions that were skipped: see {@link InlineState}. */
  readonly skipped?: string
  /** The actor's version, and the commit that has it. */
  readonly version: Version
  readonly position: Position
  readonly commitId: string
  /** Whether work that has not ended is carried: `value` is then `{ state, works }`. */
  readonly carriesWork?: true
  /** The state in MessagePack. */
  readonly value: Uint8Array
}

/** What a snapshot says of itself. */
export interface Manifest extends Omit<Snapshot, 'value'> {
  readonly form: 1
  readonly actor: string
  readonly slot: Slot
  readonly chunks: number
  /** Bytes of the state, and of its chunks together. */
  readonly bytes: number
  readonly compressed: number
  /** SHA-256 of all of that and of the chunks. */
  readonly hash: string
}

type Slot = 'a' | 'b'

export interface SnapshotReadOptions {
  /** Whether it is worth reading; it is called before the chunks are read. */
  readonly isUsable?: (manifest: Manifest) => boolean
  readonly signal?: AbortSignal | undefined
}

/** Bytes of a chunk at first; a server with a lower limit gets smaller ones. */
const chunkBytes = 128 * 1024
const chunkBytesMin = 4 * 1024
/** Bytes of chunks that are written together. */
const groupBytes = 2 * 1024 * 1024
/** Chunks that are removed by one write; others are overwritten some day. */
const removedMax = 900
/** A writer may replace what is being read. */
const readsMax = 3

const compress = promisify(deflate)
const inflated = promisify(inflate)

export class Snapshots {
  readonly #models: ReadModels
  readonly #onDamaged: (actor: ActorAddress, reason: string) => void
  #chunkBytes = chunkBytes

  /** @param onDamaged called when a stored snapshot is not used since it does not match its checksum */
  constructor(
    models: ReadModels,
    onDamaged: (actor: ActorAddress, reason: string) => void = () => {},
  ) {
    this.#models = models
    this.#onDamaged = onDamaged
  }

  /** The snapshot of an actor; `undefined` for none that is whole and usable (SNAPSHOT-1). Throws the errors of the store. */
  async read(
    actor: ActorAddress,
    { isUsable = () => true, signal }: SnapshotReadOptions = {},
  ): Promise<Snapshot | undefined> {
    const model = this.#models.open(snapshotModelOf(actor))
    const doing = `reading the snapshot of ${formatAddress(actor)}`
    let reason = ''
    for (let read = 0; read < readsMax; read++) {
      throwIfAborted(signal, doing)
      const manifest = await manifestOf(model, signal)
      if (manifest === undefined) return undefined
      if (typeof manifest === 'string') reason = manifest
      else {
        if (!isOf(manifest, actor) || !isUsable(manifest)) return undefined
        const found = await wholeOf(model, manifest, signal)
        if (typeof found !== 'string') return found
        reason = found
      }
    }
    this.#onDamaged(actor, reason)
    return undefined
  }

  /**
   * What the snapshot of an actor says of itself, or why that cannot be read; `undefined` for none that this build reads. Throws the
   * errors of the store.
   */
  async manifest(
    actor: ActorAddress,
    signal?: AbortSignal,
  ): Promise<Manifest | string | undefined> {
    const model = this.#models.open(snapshotModelOf(actor))
    const manifest = await manifestOf(model, signal)
    return typeof manifest !== 'object' || isOf(manifest, actor) ? manifest : undefined
  }

  /**
   * The snapshot of a manifest, or why it is not used; `undefined` if another one has taken its place meanwhile. Throws the errors of
   * the store.
   */
  async readBy(
    actor: ActorAddress,
    manifest: Manifest,
    signal?: AbortSignal,
  ): Promise<Snapshot | string | undefined> {
    const model = this.#models.open(snapshotModelOf(actor))
    const found = await wholeOf(model, manifest, signal)
    if (typeof found !== 'string') return found
    const now = await manifestOf(model, signal)
    return typeof now === 'object' && now.hash === manifest.hash ? found : undefined
  }

  /**
   * Stores a snapshot in place of the one before; resolves with false if another writer was faster (SNAPSHOT-3). Throws the errors of
   * the store; the snapshot before it is then still there.
   */
  async write(
    actor: ActorAddress,
    snapshot: Snapshot,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const body = await compress(snapshot.value, { level: 1 })
    for (;;)
      try {
        return await this.#write(actor, snapshot, body, signal)
      } catch (error) {
        if (!isCairnError(error, 'commit-too-large') || this.#chunkBytes <= chunkBytesMin)
          throw error
        this.#chunkBytes = Math.floor(this.#chunkBytes / 2)
      }
  }

  /** SNAPSHOT-2. */
  async #write(
    actor: ActorAddress,
    snapshot: Snapshot,
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const doing = `writing the snapshot of ${formatAddress(actor)}`
    const model = this.#models.open(snapshotModelOf(actor))
    let { revision } = await model.checkpoint()
    const before = await manifestOf(model, signal)
    const known = typeof before === 'object' ? before : undefined
    const slot: Slot = known?.slot === 'a' ? 'b' : 'a'
    const { value, ...at } = snapshot
    const size = this.#chunkBytes
    const chunks = Math.ceil(body.length / size)
    const facts = {
      ...at,
      form: 1 as const,
      actor: formatAddress(actor),
      slot,
      chunks,
      bytes: value.length,
      compressed: body.length,
    }
    const hash = hashOf(facts, body)
    const place = { position: snapshot.position, ahead: 0 }
    const inGroup = Math.max(1, Math.floor(groupBytes / size))
    for (let first = 0; first < chunks; first += inGroup) {
      throwIfAborted(signal, doing)
      const rows = new Map<string, unknown>()
      for (let i = first; i < Math.min(first + inGroup, chunks); i++)
        rows.set(keyOf(slot, i), body.subarray(i * size, (i + 1) * size))
      const written = await model.write({ ...place, rows }, revision)
      if (written === 'conflict') return false
      revision = written
    }
    throwIfAborted(signal, doing)
    const rows = new Map<string, unknown>([['manifest', { ...facts, hash }]])
    if (known !== undefined)
      for (let i = 0; i < Math.min(known.chunks, removedMax); i++)
        rows.set(keyOf(known.slot, i), null)
    return (await model.write({ ...place, rows }, revision)) !== 'conflict'
  }
}

/** The model of an actor's snapshot: names of projections begin with a letter. */
export function snapshotModelOf(actor: ActorAddress): string {
  const hash = createHash('sha256').update(formatAddress(actor)).digest('hex')
  return `_snapshot-${hash.slice(0, 40)}`
}

function keyOf(slot: Slot, index: number): string {
  return `${slot}/${index}`
}

/** Another form is of another build, and another actor's has the same hash. */
function isOf({ form, actor: of }: Manifest, actor: ActorAddress): boolean {
  return form === 1 && of === formatAddress(actor)
}

/** The manifest, or why it cannot be read. */
async function manifestOf(
  model: ReadModel,
  signal: AbortSignal | undefined,
): Promise<Manifest | string | undefined> {
  const found = await rowsOf(model, ['manifest'], signal)
  if (typeof found === 'string') return found
  const [manifest] = found
  if (manifest === undefined) return undefined
  const { slot, chunks, compressed } = (manifest ?? {}) as Partial<Manifest>
  const isOne =
    (slot === 'a' || slot === 'b') &&
    Number.isSafeInteger(chunks) &&
    Number.isSafeInteger(compressed)
  return isOne ? (manifest as Manifest) : 'its manifest is not one'
}

/** The snapshot, or why it is not used. */
async function wholeOf(
  model: ReadModel,
  manifest: Manifest,
  signal: AbortSignal | undefined,
): Promise<Snapshot | string> {
  const { hash, slot, chunks, ...rest } = manifest
  const keys = Array.from({ length: chunks }, (_, i) => keyOf(slot, i))
  const found = await rowsOf(model, keys, signal)
  if (typeof found === 'string') return found
  const parts = found.filter(part => part instanceof Uint8Array)
  if (parts.length !== chunks) return `${chunks - parts.length} of its chunks are missing`
  const body = Buffer.concat(parts)
  if (hashOf({ ...rest, slot, chunks }, body) !== hash)
    return 'it does not match its checksum'
  const { behavior, skipped, version, position, commitId, bytes, carriesWork } = manifest
  try {
    const value = await inflated(body, { maxOutputLength: Math.max(1, bytes) })
    const at = { behavior, version, position, commitId }
    return { ...at, ...defined({ skipped, carriesWork }), value }
  } catch (error) {
    return messageOf(error)
  }
}

/** Rows, or why one of them cannot be read. */
async function rowsOf(
  model: ReadModel,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly unknown[] | string> {
  try {
    return await model.get(keys, signal === undefined ? {} : { signal })
  } catch (error) {
    // A code is one of the store; a row that cannot be decoded has none.
    if (isCairnError(error) && !isCairnError(error, 'invalid-data')) throw error
    return messageOf(error)
  }
}

function hashOf(facts: Omit<Manifest, 'hash'>, body: Uint8Array): string {
  const { form, actor, slot, chunks, bytes, compressed } = facts
  const { behavior, skipped = '', version, position, commitId } = facts
  const size = [form, actor, slot, chunks, bytes, compressed]
  const at = [behavior, skipped, version, position, commitId]
  return createHash('sha256')
    .update(encode([size, at]))
    .update(body)
    .digest('hex')
}
