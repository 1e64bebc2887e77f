// Runs the checks that read the sources and the build, two at a time: format, lint, types, package and docs.
//
// Each check's output is printed whole when it ends, so that the two do not mix. All run, also after one has failed.

import { spawn } from 'node:child_process'

/** Each lane takes about half of the time. */
const lanes = [
  ['format:check', 'package', 'docs'],
  ['types', 'lint', 'proto'],
]

/** @type {string[]} */
const failed = []
await Promise.all(
  lanes.map(async lane => {
    for (const check of lane) await run(check)
  }),
)
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(', ')}. Run one alone with npm run NAME.`)
  process.exitCode = 1
}

/** @param {string} check */
async function run(check) {
  const child = spawn('npm', ['run', '--silent', check], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  /** @type {Buffer[]} */
  const output = []
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => output.push(chunk))
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) failed.push(check)
  console.log(`${check}: ${code === 0 ? 'ok' : `failed (exit code ${code})`}`)
  process.stdout.write(Buffer.concat(output))
}
