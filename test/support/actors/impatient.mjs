// Definitions for `--actors` whose process gets a second signal while it handles the first.

process.prependListener('SIGTERM', () => process.kill(process.pid, 'SIGINT'))

export { counter } from './counter.mjs'
