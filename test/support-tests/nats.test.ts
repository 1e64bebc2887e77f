import { connect } from 'nats'
import t from 'tap'
import { startNats } from '../support/nats.js'

t.test('what a server acknowledged is there after a SIGKILL and a restart', async t => {
  await using server = await startNats({ syncInterval: 'always' })
  const { url, pid } = server
  {
    const connection = await connect({ servers: server.url, reconnect: false })
    const manager = await connection.jetstreamManager()
    await manager.streams.add({ name: 'KEPT', subjects: ['kept.>'] })
    await connection.jetstream().publish('kept.a', 'one')
    const closed = connection.closed()
    await server.kill()
    await closed
  }
  await server.restart()
  t.equal(server.url, url, 'the address is the same')
  t.not(server.pid, pid, 'the process is another')
  const connection = await connect({ servers: server.url })
  const manager = await connection.jetstreamManager()
  const message = await manager.streams.getMessage('KEPT', { seq: 1 })
  t.equal(message.string(), 'one')
  await connection.close()
})
