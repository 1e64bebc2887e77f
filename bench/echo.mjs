// The other end of the baseline of ask-remote: answers whatever comes. Arguments: the server's
// URLs, the subject, and the length of an answer in bytes.
import { connect } from 'nats'

const [servers = '', subject = '', bytes = '0'] = process.argv.slice(2)
const connection = await connect({ servers: servers.split(',') })
const answer = new Uint8Array(Number(bytes))
connection.subscribe(subject, {
  callback: (error, message) => {
    if (error === null) message.respond(answer)
  },
})
await connection.flush()
console.log('ready')
