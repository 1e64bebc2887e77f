// Wall clocks that jump.

import { between, pick } from './draws.js'
import { disturb, everywhere, type Fault, type FaultContext } from './fault.js'

const jumps = [3_600_000, -3_600_000, 90_000, -90_000]

const withFakeClocks = ({ processes }: FaultContext) =>
  processes.list('host').filter(({ hasFakeClock }) => hasFakeClock)

export const jumpClock: Fault = {
  name: 'clock-jump',
  places: everywhere,
  isPossible: context => withFakeClocks(context).length > 0,
  async inject(context, random) {
    const host = pick(random, withFakeClocks(context))
    const jump = pick(random, jumps)
    await disturb(context, {
      fault: `${this.name} ${jump / 1000} s`,
      target: host.name,
      ms: between(random, 500, 10_000),
      begin: () => host.shiftClock(jump),
      heal: () => host.shiftClock(0),
    })
  },
}
