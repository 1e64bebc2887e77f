// A place as the faults see it: its data may be on a disk that can be filled.

import type { TrustPlace } from '../place.js'
import type { SmallDisk } from './small-disk.js'

export interface StartedPlace extends TrustPlace {
  /** Where the data is. Undefined where it is on a disk with other things. */
  readonly disk: SmallDisk | undefined
}

export interface PlaceOptions {
  /** Keeps the data on a small disk of its own if one can be mounted. Default true; three servers have none. */
  readonly smallDisk?: boolean
}
