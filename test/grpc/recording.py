"""A plugin that writes down what it handles: a line for each message, before it is settled."""

import os

from cairn_plugin import Plugin, Reject, Terminal, command, value_of

plugin = Plugin("recording", "1.0.0", work_max=int(os.environ.get("WORK_MAX", "8")))
file = open(os.environ["RECORD"], "a", buffering=1)


def record(kind, id, repeat):
    file.write(f"{kind} {id} {'repeat' if repeat else 'first'}\n")


def add(state, data):
    if data.get("die"):
        os.kill(os.getpid(), 9)
    if data["amount"] < 0:
        raise Reject("negative", "Only more.", {"total": state["total"]})
    if data.get("fail"):
        raise ValueError("no such amount")
    return [("added", {"amount": data["amount"]})], state["total"] + data["amount"]


plugin.actor(
    "pot",
    initial={"total": 0},
    decide={"add": add, "total": lambda state, data: ([], state["total"])},
    evolve={
        "added": lambda state, data: {"total": state["total"] + data["amount"]},
    },
)


@plugin.reactor("record", events_of=["pot"], topics=["notes"], attempts=3)
def record_message(message, event):
    if message.topic == "notes":
        note = value_of(message.data)
        if note == "poison":
            os.kill(os.getpid(), 9)
        if note == "terminal":
            raise Terminal("never")
        if note == "forward":
            return [command("pot", "forwarded", "add", {"amount": 1})]
    record("reacted", message.id, False)


@plugin.trigger("fires", topics=["fires"], ack_wait_ms=2000)
def fire(message):
    record("fired", message.headers["Cairn-Message"], message.headers["Cairn-Attempt"] != "1")


# The reactor above has no access to the work; its hints are read here.
react = plugin._react


def react_with_hint(id, work):
    result = react(id, work)
    if work.message.topic != "notes":
        record("hint", work.message.id, work.may_be_repeat)
    return result


plugin._react = react_with_hint
plugin.run()
