// A host or a client that does nothing but live: says that it is ready, and answers.

const trust = JSON.parse(process.env.TRUST ?? '{}')
console.log(`${trust.role} ${trust.name} starts`)

if (trust.name === 'broken') {
  console.error('it is broken')
  process.exit(3)
}

process.on('message', (/** @type {any} */ message) => {
  if (message.kind === 'exit') process.exit(message.code)
  if (message.kind === 'block')
    for (const until = Date.now() + message.ms; Date.now() < until;);
  if (message.kind === 'echo')
    process.send?.({ id: message.id, trust, time: Date.now(), said: message.say })
})
process.on('disconnect', () => process.exit(0))
process.on('SIGTERM', () => {
  setTimeout(() => process.exit(trust.code === 'new' ? 4 : 0), 10)
})
process.send?.({ kind: 'ready' })
