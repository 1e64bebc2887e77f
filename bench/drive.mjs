// Keeping so many pieces of work under way for a while, and counting what was completed.

/**
 * @typedef {object} Driven
 * @property {number} done completed pieces
 * @property {number} rate completed a second, from the first one's start to the last one's end
 * @property {readonly number[]} latencies milliseconds of each
 *
 * @typedef {object} Load
 * @property {number} workers pieces under way at a time
 * @property {number} [ms] no piece is begun after so many milliseconds
 * @property {number} [turns] pieces a worker does at most
 */

/** Milliseconds without any piece completed after which the rest is given up. */
const stallTimeout = 60_000

/** @param {(error: Error) => void} give */
const watchdog = give => {
  let last = performance.now()
  const bark = () => {
    if (performance.now() - last < stallTimeout) return
    clearInterval(timer)
    give(new Error(`nothing was completed within ${stallTimeout} ms`))
  }
  const timer = setInterval(bark, 1_000)
  return {
    completed: (/** @type {number} */ now) => {
      last = now
    },
    end: () => clearInterval(timer),
  }
}

/**
 * With promises, as users of Cairn wait.
 *
 * @param {Load & { step: (worker: number, turn: number) => Promise<void> }} load
 * @returns {Promise<Driven>}
 */
export const drive = async ({ workers, ms = Infinity, turns = Infinity, step }) => {
  /** @type {number[]} */
  const latencies = []
  /** @type {(error: Error) => void} */
  let giveUp = () => {}
  const stalled = new Promise((_, reject) => {
    giveUp = reject
  })
  const dog = watchdog(giveUp)
  const start = performance.now()
  const end = start + ms
  const drive = async (/** @type {number} */ worker) => {
    let began = performance.now()
    for (let turn = 0; turn < turns && began < end; turn++) {
      await step(worker, turn)
      const now = performance.now()
      dog.completed(now)
      latencies.push(now - began)
      began = now
    }
  }
  try {
    const all = Array.from({ length: workers }, (_, worker) => drive(worker))
    await Promise.race([Promise.all(all), stalled])
  } finally {
    dog.end()
  }
  return outcome(latencies, performance.now() - start)
}

/**
 * With callbacks: as little between the pieces as possible.
 *
 * @param {Load & { step: (worker: number, turn: number, done: (error?: Error) => void) => void }} load
 * @returns {Promise<Driven>}
 */
export const driveRaw = ({ workers, ms = Infinity, turns = Infinity, step }) =>
  new Promise((resolve, reject) => {
    /** @type {number[]} */
    const latencies = []
    let going = workers
    const dog = watchdog(reject)
    const start = performance.now()
    const end = start + ms
    const drive = (/** @type {number} */ worker) => {
      let turn = 0
      let began = performance.now()
      const next = () => {
        if (turn < turns && began < end) return step(worker, turn++, done)
        if (--going > 0) return
        dog.end()
        resolve(outcome(latencies, performance.now() - start))
      }
      const done = (/** @type {Error | undefined} */ error) => {
        if (error !== undefined) {
          dog.end()
          return reject(error)
        }
        const now = performance.now()
        dog.completed(now)
        latencies.push(now - began)
        began = now
        next()
      }
      next()
    }
    for (let worker = 0; worker < workers; worker++) drive(worker)
  })

/**
 * @param {number[]} latencies
 * @param {number} ms
 * @returns {Driven}
 */
const outcome = (latencies, ms) => ({
  done: latencies.length,
  rate: (latencies.length / ms) * 1000,
  latencies,
})

/**
 * What was done as one piece, so that nobody knows how long each took.
 *
 * @param {number} done
 * @param {number} ms
 */
export const asOnePiece = (done, ms) => ({
  done,
  rate: (done / ms) * 1000,
  latencies: [],
  verified: done,
})
