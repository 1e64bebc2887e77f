"""A plugin for Cairn: actor types, reactors and triggers in Python.

It needs grpcio and protobuf, and the code of the contracts, made by protoc (generate.sh). `cairn plugin run` says where the
host is, in CAIRN_DOOR and CAIRN_TOKEN.
"""

import os
import queue
import sys
import threading
import time

import grpc
from google.protobuf import struct_pb2

from cairn.v1 import data_pb2, plugin_pb2

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
# Results wait for others of the same message for at most this long.
FLUSH_SECONDS = 0.02


class Reject(Exception):
    """Raised by decide: the command is rejected, and nothing is stored."""

    def __init__(self, code, message="", details=None):
        super().__init__(message or code)
        self.code, self.message, self.details = code, message or code, details


class Terminal(Exception):
    """Raised by a handler: the message is not retried."""


class Plugin:
    def __init__(self, name, version, work_max=256, contracts=()):
        self._manifest = plugin_pb2.Manifest(
            name=name,
            version=version,
            contracts=["cairn.v1", *contracts],
            work_max=work_max,
        )
        self._actors, self._reactors, self._triggers = {}, {}, {}

    def actor(self, type, initial, decide, evolve, version=1, publishes=()):
        """decide: a function for each command, (state, data) -> (events, reply). evolve: one for each event."""
        self._manifest.actor_types.add(
            type=type,
            version=version,
            commands=list(decide),
            events=list(evolve),
            publishes=publishes,
        )
        self._actors[type] = (initial, decide, evolve)

    def reactor(self, name, **options):
        """Decorates (message, event) -> commands and messages to send, or None."""
        self._manifest.reactors.add(name=name, **options)
        return lambda handle: self._reactors.setdefault(name, handle)

    def trigger(self, consumer, **options):
        """Decorates a function of a consumed message."""
        self._manifest.triggers.add(consumer=consumer, **options)
        return lambda handle: self._triggers.setdefault(consumer, handle)

    def run(self):
        """Serves until the host ends the call."""
        channel = grpc.insecure_channel(
            os.environ["CAIRN_DOOR"].removeprefix("http://"),
            options=[
                ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
                ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ],
        )
        host = channel.stream_stream(
            "/cairn.v1.PluginService/Host",
            request_serializer=plugin_pb2.HostRequest.SerializeToString,
            response_deserializer=plugin_pb2.HostResponse.FromString,
        )
        outgoing = queue.SimpleQueue()
        outgoing.put(plugin_pb2.HostRequest(manifest=self._manifest))
        token = os.environ.get("CAIRN_TOKEN", "")
        metadata = [("authorization", f"Bearer {token}")] if token else []
        # Ends with the process that started it.
        threading.Thread(target=_exit_with_parent, daemon=True).start()
        try:
            for response in host(iter(outgoing.get, None), metadata=metadata):
                self._work(response.work, outgoing)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")
        finally:
            outgoing.put(None)

    def _work(self, works, outgoing):
        results, began = [], time.monotonic()
        for work in works:
            results.append(self._result(work))
            if time.monotonic() - began > FLUSH_SECONDS:
                outgoing.put(plugin_pb2.HostRequest(results=results))
                results, began = [], time.monotonic()
        if results:
            outgoing.put(plugin_pb2.HostRequest(results=results))

    def _result(self, work):
        kind = work.WhichOneof("work")
        try:
            return getattr(self, f"_{kind}")(work.id, getattr(work, kind))
        except Exception as error:
            failed = plugin_pb2.Failed(
                name=type(error).__name__,
                message=str(error),
                terminal=isinstance(error, Terminal),
            )
            return plugin_pb2.Result(id=work.id, failed=failed)

    def _folded(self, basis):
        initial, decide, evolve = self._actors[basis.actor.type]
        state = value_of(basis.state) if basis.HasField("state") else initial
        for event in basis.events:
            state = evolve[event.type](state, value_of(event.data))
        return state, decide, evolve

    def _fold(self, id, fold):
        state, _, _ = self._folded(fold.basis)
        return plugin_pb2.Result(
            id=id, folded=plugin_pb2.Folded(state=data_of(state))
        )

    def _decide(self, id, work):
        state, decide, evolve = self._folded(work.basis)
        try:
            events, reply = decide[work.command](state, value_of(work.data))
        except Reject as reject:
            rejected = plugin_pb2.Reject(
                code=reject.code,
                message=reject.message,
                details=data_of(reject.details),
            )
            return plugin_pb2.Result(
                id=id, decided=plugin_pb2.Decided(reject=rejected)
            )
        accept = plugin_pb2.Accept(reply=data_of(reply))
        for event, data in events:
            accept.events.add(type=event, data=data_of(data))
            state = evolve[event](state, data)
        accept.state.CopyFrom(data_of(state))
        return plugin_pb2.Result(id=id, decided=plugin_pb2.Decided(accept=accept))

    def _react(self, id, work):
        sends = self._reactors[work.reactor](work.message, work.event) or ()
        return plugin_pb2.Result(id=id, reacted=plugin_pb2.Reacted(sends=sends))

    def _fire(self, id, work):
        self._triggers[work.consumer](work.message)
        return plugin_pb2.Result(id=id, fired=plugin_pb2.Fired())


def command(actor, id, type, data=None):
    """A command that a reactor sends: once, however often its message is handled."""
    return data_pb2.OutboxEntry(
        command=data_pb2.OutboxCommand(
            actor=data_pb2.Actor(type=actor, id=id), type=type, data=data_of(data)
        )
    )


def message(topic, data):
    """A message that a reactor publishes."""
    return data_pb2.OutboxEntry(
        message=data_pb2.OutboxMessage(topic=topic, data=data_of(data))
    )


def data_of(value):
    return data_pb2.Data(json=_to_value(value))


def value_of(data):
    kind = data.WhichOneof("kind")
    if kind is None:
        return None
    if kind == "json":
        return _from_value(data.json)
    raise Terminal(f"This plugin reads JSON only, and this is {kind}.")


def _to_value(value):
    if value is None:
        return struct_pb2.Value(null_value=0)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, (int, float)):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, dict):
        fields = {key: _to_value(item) for key, item in value.items()}
        return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=fields))
    items = [_to_value(item) for item in value]
    return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))


def _from_value(value):
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {key: _from_value(item) for key, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind == "null_value" else getattr(value, kind)


def _exit_with_parent():
    if not sys.stdin.isatty():
        sys.stdin.buffer.read()
        os._exit(1)
