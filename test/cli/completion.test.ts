// cairn completion: the scripts, and what bash completes with its own.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

import { commandNames } from '../../src/cli/commands.js'
import { cairn } from '../multinode/harness.js'

const dir = t.testdir()
const script = async (shell: string) => (await cairn('completion', shell)).stdout

const bash = join(dir, 'completion.bash')
await writeFile(bash, await script('bash'))

/** What bash offers for the last of the words. */
async function offered(...words: string[]): Promise<string[]> {
  const list = words.map(word => `'${word}'`).join(' ')
  const line = `source ${bash}; COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _cairn; echo "\${COMPREPLY[@]}"`
  const { stdout } = await promisify(execFile)('bash', ['-c', line])
  return stdout.trim().split(' ')
}

await t.test('bash completes commands, verbs and flags', async t => {
  t.strictSame(await offered('cairn', 'sta'), ['state', 'status'])
  t.strictSame(await offered('cairn', 'dlq', 're'), ['retry', 'retry-all'])
  t.strictSame(await offered('cairn', 'namespaces', ''), ['list', 'create', 'remove'])
  t.strictSame(await offered('cairn', 'read', 'account/a', '--ba'), ['--backwards'])
  t.strictSame(await offered('cairn', 'help', 'wh'), ['why'])
  t.strictSame(await offered('cairn', 'read', '--ns', 'x'), [''], 'a value is the user’s')
})

await t.test('the scripts of zsh and fish know every command', async t => {
  for (const shell of ['zsh', 'fish']) {
    const text = await script(shell)
    for (const name of commandNames) t.match(text, new RegExp(`\\b${name}\\b`), name)
    t.match(text, 'dry-run')
    t.match(
      text,
      shell === 'fish' ? /seen_subcommand_from help' -f -a 'ask send / : /'help:/,
    )
  }
})
