"""random_fleet.py SEED STEPS STORE.db... -- random commands on a few stores of
one stream, one at a time, two at once, or killed; after each the store must
agree with check_state.py.  $VES is the program; stores and sequencer are
there.  At the end every store is synced and all state hashes are equal."""
import json
import os
import random
import subprocess
import sys
import time

VES = os.environ["VES"]
CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     "check_state.py")
seed, steps, stores = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
rng = random.Random(seed)
commands = ["%08x-0000-4000-8000-000000000000" % i for i in range(5)]
done = []


def payload(kind, entity):
    pick = rng.choice
    return {
        "inventory.adjusted": {"delta": pick([1, -3, "2.5", "-0.000001", 7])},
        "inventory.reserved": {"reservation_id": pick("rst"),
                               "quantity": pick([1, 2, "1.5"])},
        "inventory.released": {"reservation_id": pick("rst")},
        "order.created": {"currency": "GBP", "n": pick(range(5)), "lines": []},
        "order.updated": pick([{"a": pick(range(9))},
                               {"patch": {"b": {"c": pick("xy"), "d": None}}},
                               {"patch": {"a": None, "b": {"e": [1]}}}]),
        "order.shipped": pick([{"shipment_id": pick("uv"), "n": pick("kl")},
                               {"n": 1}]),
        "order.cancelled": {},
        "customer.created": {"customer_id": entity, "n": pick("kl")},
        "customer.updated": {"n": pick("klm")},
        "payment.created": {"amount_minor": 100, "currency": "GBP"},
        "payment.completed": {"amount_minor": pick([100, 200])},
        "payment.refunded": {"refund_id": pick("fg"), "amount_minor": 1},
        "return.created": {}, "return.approved": {}, "return.rejected": {},
        "other.kind": {"k": "v"},
    }[kind]


KINDS = ["inventory.adjusted"] * 4 + ["order.updated"] * 3 + [
    "inventory.reserved", "inventory.released", "order.created",
    "order.shipped", "order.cancelled", "customer.created",
    "customer.updated", "payment.created", "payment.completed",
    "payment.refunded", "return.created", "return.approved",
    "return.rejected", "other.kind"]


def command(store):
    if rng.random() < .5:
        kind, entity = rng.choice(KINDS), rng.choice("ABC")
        words = ["append", kind, entity, "--payload",
                 json.dumps(payload(kind, entity))]
        # Used twice, it is refused with a signature.
        if rng.random() < .15:
            words += ["--command-id", rng.choice(commands)]
    else:
        words = rng.choice([["push"], ["pull"], ["ack"], ["sync"],
                            ["push", "--limit", str(rng.randrange(1, 4))],
                            ["pull", "--limit", str(rng.randrange(1, 5))],
                            ["pull", "--since", "1"]])
    return [VES, words[0], "--db", store] + words[1:]


def start(words):
    done.append(words[1:])
    return subprocess.Popen(words, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def state_hash(store):
    out = subprocess.run([VES, "status", "--db", store, "--json"],
                         stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)["stateHash"]


def check(store):
    run = subprocess.run([sys.executable, "-E", CHECK, store, "--hash",
                          state_hash(store)], capture_output=True, text=True)
    if run.returncode:
        print("\n".join(str(d) for d in done[-8:]))
        sys.exit("seed %d, after command %d: %s%s" %
                 (seed, len(done), run.stdout, run.stderr))


for _ in range(steps):
    store, how = rng.choice(stores), rng.random()
    running = [start(command(store))]
    if how < .2:
        running.append(start(command(store)))
    elif how < .35:
        time.sleep(rng.random() * .03)
        running[0].kill()
    for process in running:
        process.wait()
    check(store)
for store in stores + stores:
    start([VES, "sync", "--db", store]).wait()
for store in stores:
    check(store)
if len({state_hash(store) for store in stores}) != 1:
    sys.exit("seed %d: the states differ" % seed)
print("%d commands, seed %d" % (len(done), seed))
