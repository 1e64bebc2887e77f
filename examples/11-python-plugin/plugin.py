"""An actor type, a reactor and a trigger in Python: see README.md."""

from cairn_plugin import Plugin, Reject, command, value_of

plugin = Plugin("bank", "1.0.0")


def deposit(state, data):
    return [("deposited", {"amount": data["amount"]})], None


def withdraw(state, data):
    if state["balance"] < data["amount"]:
        raise Reject("overdraft", details={"balance": state["balance"]})
    return [("withdrawn", {"amount": data["amount"]})], None


def balance(state, data):
    return [], state["balance"]


plugin.actor(
    "purse",
    initial={"balance": 0},
    decide={"deposit": deposit, "withdraw": withdraw, "balance": balance},
    evolve={
        "deposited": lambda state, data: {"balance": state["balance"] + data["amount"]},
        "withdrawn": lambda state, data: {"balance": state["balance"] - data["amount"]},
    },
)


@plugin.reactor("cashback", events_of=["purse"])
def cashback(message, event):
    """One percent of each withdrawal goes to another purse, once for each."""
    if event.type == "withdrawn":
        amount = value_of(event.data)["amount"]
        yield command("purse", "cashback", "deposit", {"amount": amount / 100})


@plugin.trigger("audit", topics=["audits"])
def audit(message):
    print(f"audit: {value_of(message.payload)['text']}", flush=True)


plugin.run()
