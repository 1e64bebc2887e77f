// What docs/operations.md says about permissions: its excerpts are what `cairn acl` prints, and a server takes it as it
// is, with the passwords from its environment.

import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import t from 'tap'

import { commandNames } from '../../src/cli/commands.js'
import { cairn, run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { blocksOf } from './markdown.js'

const page = 'docs/operations.md'
const excerpts = blocksOf(page).filter(({ info }) => info.startsWith('text acl '))

t.ok(commandNames.includes('acl'))
t.not(excerpts.length, 0)

for (const { info, text, line } of excerpts)
  await t.test(`${page}:${line} is what cairn ${info.slice(5)} prints`, async t => {
    const { stdout, code } = await cairn(...info.slice(5).split(' '))
    t.equal(code, 0)
    // Parts of the output, in order, with dots for what is left out.
    let rest = stdout
    for (const part of text.split(/^ *…\n/m)) {
      const at = rest.indexOf(part.trimEnd())
      t.ok(at >= 0, `it has: ${part}`)
      rest = rest.slice(at + part.length)
    }
  })

await t.test('a server includes it, with the passwords of its environment', async t => {
  const roles = ['', '_OPERATOR', '_READER']
  for (const [i, role] of roles.entries())
    process.env[`SHOP${role}_PASSWORD`] = i === 0 ? '"123"' : 'secret'
  const { stdout } = await cairn(
    'acl',
    '--ns',
    'shop',
    '--accounts',
    '--max-bytes',
    '1GB',
  )
  const file = join(t.testdir(), 'acl.conf')
  await writeFile(file, stdout)
  // The server reads it relative to its own configuration, in a folder of the temporary one.
  const path = relative(join(tmpdir(), 'server'), file)
  await using server = await startNats({ config: `include ${path}` })
  const as = (login: string) => ['--nats', `nats://${login}@127.0.0.1:${server.port}`]
  const created = await cairn(
    'namespaces',
    'create',
    'shop',
    ...as('shop.operator:secret'),
  )
  t.match(created, { code: 0 })
  const append = ['append', 'note/n', 'noted', '1', '--ns', 'shop']
  t.match(await cairn(...append, ...as('shop:123')), { code: 0 })
  t.match(await cairn(...append, ...as('shop:124')), { code: 1, stderr: /unauthorized/ })
  t.match(await cairn(...append, ...as('shop.reader:secret')), { code: 1 })
})

await t.test('what cairn acl refuses', async t => {
  const refused: [string[], RegExp][] = [
    [[], /No namespace is given/],
    [['--ns', 'a_b'], /"a_b" is not a namespace/],
    [
      ['--ns', 'a', '--role', 'admin'],
      /"admin" is not known here: use node, operator, reader/,
    ],
    [['--ns', 'a', '--max-bytes', '1GB'], /only accounts have limits/],
    [['--ns', 'a', '--accounts', '--max-bytes', 'much'], /--max-bytes is "much"/],
    [['--ns', 'a', '--accounts', '--max-streams', '6'], /a namespace needs 7/],
    [['--ns', 'a', '--accounts', '--max-consumers', '4095'], /a namespace needs 4096/],
    [['--ns', 'a,a-operator'], /would both have the password \$A_OPERATOR_PASSWORD/],
    [['--ns', 'a', '--nats', 'nats://x'], /--nats has no meaning here/],
  ]
  for (const [args, says] of refused) {
    const ended = run(['dist/cli/main.js', 'acl', ...args], { CAIRN_NS: undefined })
    t.equal(await ended.ended, 2, args.join(' '))
    t.match(ended.stderr(), says)
  }
})
