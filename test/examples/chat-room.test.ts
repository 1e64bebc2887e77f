// The room of examples/13-chat-room, as its users would specify it.

import { event } from 'cairn-es'
import { given } from 'cairn-es/testing'
import t from 'tap'

import { room } from '../../examples/13-chat-room/room.js'

const said = { sender: 'Ada', text: 'Hello.' }

void t.test('what is said is an event, and the reply is its number', async () => {
  given(room, [event('said', said)])
    .when('say', { sender: 'Bob', text: ' Hello, Ada. ' })
    .thenEvents(event('said', { sender: 'Bob', text: 'Hello, Ada.' }))
    .thenReply(2)
    .thenState({ messages: 2 })
})

void t.test('blank text is refused', async () => {
  given(room).when('say', { sender: 'Ada', text: ' ' }).thenRejected('blank')
})
