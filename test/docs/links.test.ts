// Every link from a page to a file or heading of the repository resolves.

import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

import { anchorsOf, findPages, proseOf, root } from './markdown.js'

const pages = findPages()

await t.test('the search finds pages', async t => {
  t.ok(pages.includes('README.md'))
  t.ok(pages.includes(join('docs', 'README.md')))
})

await t.test(
  'every relative link points to a file, and its anchor to a heading',
  async t => {
    let links = 0
    for (const page of pages)
      for (const [, target] of proseOf(page).matchAll(/\]\(([^)\s]+)[^)]*\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue
        links++
        const [path, anchor] = target!.split('#')
        const file = path === '' ? page : normalize(join(dirname(page), path!))
        const isThere = existsSync(join(root, file))
        t.ok(isThere, `${page} links to ${target}`)
        if (isThere && anchor !== undefined)
          t.ok(
            anchorsOf(file).has(anchor),
            `${page} links to a heading of ${file}: #${anchor}`,
          )
      }
    t.ok(links > 20, `${links} links were followed`)
  },
)

await t.test('every path of the repository that a page names exists', async t => {
  let paths = 0
  for (const page of pages)
    for (const [, path] of proseOf(page).matchAll(/`((?:src|scripts)\/[\w./-]+)`/g)) {
      paths++
      t.ok(existsSync(join(root, path!)), `${page} names ${path}`)
    }
  t.ok(paths > 50, `${paths} paths`)
})

await t.test('docs/README.md links to every page of the docs', async t => {
  const index = proseOf(join('docs', 'README.md'))
  for (const page of pages.filter(one => one.startsWith(`docs/`)))
    if (page !== 'docs/README.md')
      t.ok(index.includes(`(${page.slice('docs/'.length)})`), page)
})
