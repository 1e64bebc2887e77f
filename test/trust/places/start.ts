// The places by name.

import type { Place } from '../history.js'
import { startLmdbPlace } from './lmdb.js'
import { startNatsPlace } from './nats.js'
import { startR3Place } from './r3.js'
import type { PlaceOptions, StartedPlace } from './started-place.js'

const starts: Record<Place, (options?: PlaceOptions) => Promise<StartedPlace>> = {
  nats: startNatsPlace,
  r3: startR3Place,
  lmdb: startLmdbPlace,
}

export function startPlace(place: Place, options?: PlaceOptions): Promise<StartedPlace> {
  return starts[place](options)
}
