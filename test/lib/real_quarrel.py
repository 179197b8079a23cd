"""real_quarrel.py SEED DAY.csv... -- STORE.db STORE.db STORE.db

Days of a shop's invoices on three tills, edited offline on all of them by a
seeded script, synced, and every conflict decided with all four strategies at
whatever till comes.  What stock, money and the edited fields must be in the end
is worked out here, from the CSV files and the decisions alone.
"""
import csv
import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal

import vestest as v

VES = os.environ["VES"]
HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate",
          "UnitPrice", "CustomerID", "Country"]


def ves(*args, ok=(0,)):
    run = subprocess.run([VES, *args], capture_output=True, text=True)
    assert run.returncode in ok, (args, run.returncode, run.stdout, run.stderr)
    return run.stdout


def document(*args, ok=(0,)):
    return json.loads(ves(*args, "--json", ok=ok))


def read(paths):
    rows = []
    for path in paths:
        with open(path, encoding="utf-8", newline="") as f:
            lines = list(csv.reader(f, strict=True))
        assert lines[0] == HEADER, lines[0]
        rows += [dict(zip(HEADER, line)) for line in lines[1:] if line]
    return rows


class Shop:
    def __init__(self, rng, rows, stores):
        self.rng, self.rows, self.stores = rng, rows, stores
        self.stock = defaultdict(int)
        self.money, self.is_return = {}, {}
        self.fields = {}                # (type, id, member) -> value or None
        self.wrote = {}                 # event id -> patch
        self.used = defaultdict(int)    # strategy -> times
        self.undone = 0
        self.share_out()

    # ---- the file, counted -------------------------------------------------

    def share_out(self):
        invoices = defaultdict(list)
        for row in self.rows:
            invoices[row["InvoiceNo"]].append(row)
            self.stock[row["StockCode"]] -= int(row["Quantity"])
        parts = [[], [], []]
        for number, lines in invoices.items():
            parts[self.rng.randrange(3)] += lines
            cents = [Decimal(l["UnitPrice"]) * 100 for l in lines]
            if all(c == c.to_integral_value() for c in cents):
                total = sum(int(c) * int(l["Quantity"])
                            for c, l in zip(cents, lines))
                is_return = number.startswith("C")
                self.is_return[number] = is_return
                self.money[number] = -total if is_return else total
        self.orders = sorted(n for n, r in self.is_return.items() if not r)
        self.customers = sorted({r["CustomerID"].removesuffix(".0")
                                 for r in self.rows if r["CustomerID"]})
        for store, part in zip(self.stores, parts):
            path = store + ".csv"
            with open(path, "w", encoding="utf-8", newline="") as f:
                out = csv.writer(f)
                out.writerow(HEADER)
                out.writerows([row[h] for h in HEADER] for row in part)
            ves("import", "--db", store, path, "--format", "online-retail")
        tills = defaultdict(set)
        for i, part in enumerate(parts):
            for row in part:
                tills[row["StockCode"]].add(i)
        self.shared = sorted(c for c, t in tills.items() if len(t) == 3)
        assert len(self.shared) > 50, "stock does not overlap"

    def sync(self, rounds=2):
        for _ in range(rounds):
            for store in self.stores:
                ves("sync", "--db", store, ok=(0, 3))

    # ---- edits -------------------------------------------------------------

    def append(self, store, kind, entity, payload, *more):
        event = ves("append", "--db", store, kind, entity, "--payload",
                    json.dumps(payload), *more).strip()
        self.wrote[event] = payload.get("patch", payload)
        return event

    def two(self):
        return self.rng.sample(self.stores, 2)

    def adjust(self):
        for code in self.rng.sample(self.shared, 20):
            for store in self.two():
                delta = self.rng.randint(-9, 9)
                self.append(store, "inventory.adjusted", code,
                            {"product_id": code, "delta": str(delta)})
                self.stock[code] += delta

    def correct_money(self):
        """Two tills correct the same total, to different amounts."""
        self.corrected = self.rng.sample(self.orders, 16)
        for number in self.corrected:
            for n, store in enumerate(self.two()):
                amount = self.money[number] + 100 * (n + 1)
                patch = {"totals": {"total_minor": amount}}
                if n:
                    patch["note"] = "second till"
                self.append(store, "order.updated", number, {"patch": patch})

    def call_customers(self):
        """Some write down the same thing, some different ones."""
        for i, name in enumerate(self.rng.sample(self.customers, 16)):
            one, other = self.two()
            patch = {"email": "one@example.org"}
            self.append(one, "customer.updated", name, {"patch": patch})
            if i % 4 == 0:
                self.append(other, "customer.updated", name,
                            {"patch": {"phone": "1"}})
                self.fields["customer", name, "email"] = "one@example.org"
                self.fields["customer", name, "phone"] = "1"
            else:
                self.append(other, "customer.updated", name,
                            {"patch": {"email": "other@example.org",
                                       "phone": "2"}})

    def ship_and_cancel(self):
        left = [n for n in self.orders if n not in self.corrected]
        self.shipped = self.rng.sample(left, 8)
        self.cancelled_late = 0
        for number in self.shipped:
            one, other = self.two()
            # What was shipped stands either way; whoever is cancelled over
            # without having known, is no conflict but a note.
            self.cancelled_late += (self.stores.index(one) <
                                    self.stores.index(other))
            self.fields["order", number, "status"] = "shipped"
            self.append(one, "order.shipped", number,
                        {"shipment_id": "S" + number, "carrier": "post"})
            self.append(other, "order.cancelled", number, {"reason": "no"})

    def write_late(self):
        """On an older copy than the till had: fits, and is merged."""
        left = [n for n in self.orders
                if n not in self.corrected and n not in self.shipped]
        for number in self.rng.sample(left, 8):
            store = self.rng.choice(self.stores)
            self.append(store, "order.updated", number,
                        {"patch": {"gift": True}})
            self.append(store, "order.updated", number,
                        {"patch": {"wrap": "red"}}, "--base-version", "1")
            self.fields["order", number, "gift"] = True
            self.fields["order", number, "wrap"] = "red"

    # ---- decisions ---------------------------------------------------------

    def same_everywhere(self):
        lists = [{c["conflictId"]: c for c in document(
            "conflicts", "--db", s, "--limit", "1000")["conflicts"]}
            for s in self.stores]
        assert lists[0].keys() == lists[1].keys() == lists[2].keys()
        return lists[0]

    def decide_all(self):
        names = ["accept_local", "accept_remote", "merge", "manual"]
        for n, conflict in enumerate(sorted(self.same_everywhere().values(),
                                            key=lambda c: c["openedSequence"])):
            self.decide(conflict, names[n % 4], self.rng.choice(self.stores))

    def decide(self, conflict, strategy, store):
        event, entity = conflict["eventId"], conflict["entity"]
        if conflict["eventType"] == "order.cancelled":
            # Goods that went out are out: the cancellation cannot win.
            ves("resolve", event, "--db", store, "--strategy", "accept_local",
                ok=(1,))
            strategy = "accept_remote" if strategy != "manual" else strategy
        if strategy not in conflict["allowedStrategies"]:
            strategy = "manual"
        if conflict["conflictType"] == "version_mismatch" and (
                conflict["mergeable"]):
            strategy = "merge"
        args = ["--reason", "seeded", "--strategy", strategy]
        shown = document("conflict", "show", event, "--db", store)
        if strategy == "merge" and not conflict["mergeable"]:
            patch = self.answer(shown)
            args += ["--payload", json.dumps(patch)]
        elif strategy == "manual":
            for path, value in self.sets(shown):
                args += ["--set", "%s=%s" % (path, json.dumps(value))]
        got = document("resolve", event, "--db", store, *args)
        assert got["outcome"] == "resolved", got
        self.used[strategy] += 1
        self.expect(conflict, shown, got, entity)

    def answer(self, shown):
        """A patch: ours where both changed something, and who said so."""
        patch = {"decided": "merge"}
        for field in shown["fields"]:
            if field["path"] == "/totals/total_minor":
                patch["totals"] = {"total_minor": field["ours"] + 7}
            elif field["isOverlap"] and field["path"] == "/email":
                patch["email"] = "merged@example.org"
        return patch

    def sets(self, shown):
        out = [("/decided", "manual")]
        for field in shown["fields"]:
            if field["path"] == "/totals/total_minor":
                out.append((field["path"], field["theirs"] + 9))
            elif field["isOverlap"] and field["path"] == "/email":
                out.append(("/email", "manual@example.org"))
        return out

    def expect(self, conflict, shown, got, entity):
        """What the entity must say, from what was written and decided."""
        key = entity["type"], entity["id"]
        branch = self.wrote[conflict["eventId"]]
        applied = self.wrote[conflict["remoteEventId"]]
        strategy = got["strategy"]
        if conflict["eventType"] == "order.cancelled":
            self.fields[(*key, "status")] = "shipped"
            self.fields[(*key, "cancellation")] = None
            return
        if conflict["conflictType"] == "version_mismatch":
            return
        value = {"accept_local": {**applied, **branch},
                 "accept_remote": applied,
                 "merge": {**applied, **self.answer(shown)},
                 "manual": {**applied, "decided": "manual"}}[strategy]
        if strategy == "manual":
            for path, what in self.sets(shown):
                if path == "/totals/total_minor":
                    value["totals"] = {"total_minor": what}
                else:
                    value[path[1:]] = what
        for member in {**applied, **branch, "decided": 1}:
            if member == "totals":
                self.money[entity["id"]] = value["totals"]["total_minor"]
            else:
                self.fields[(*key, member)] = value.get(member)

    def take_some_back(self):
        """A few decisions are undone and made the other way round."""
        resolved = [c for c in document(
            "conflicts", "--db", self.stores[0], "--state", "resolved",
            "--limit", "1000")["conflicts"]
            if c["resolution"]["strategy"] in ("accept_local", "accept_remote")
            and c["conflictType"] == "concurrent_edit"
            and c["eventType"].endswith(".updated")]
        for conflict in self.rng.sample(resolved, 4):
            store = self.rng.choice(self.stores)
            got = document("resolve", "--undo", conflict["conflictId"], "--db",
                           store, "--reason", "wrong")
            assert got["outcome"] == "resolved", got
            self.undone += 1
        self.sync()
        again = self.same_everywhere()
        assert len(again) == 4, len(again)
        for conflict in again.values():
            before = next(c for c in resolved
                          if c["conflictId"] == conflict["conflictId"])
            other = {"accept_local": "accept_remote",
                     "accept_remote": "accept_local"}
            self.decide(conflict, other[before["resolution"]["strategy"]],
                        self.rng.choice(self.stores))
        self.sync()

    # ---- the end -----------------------------------------------------------

    def check(self, problems):
        hashes = set()
        for store in self.stores:
            self.sync_is_done(store, problems, hashes)
            db = v.open_store(store)
            states = {(r["entity_type"], r["entity_id"]):
                      json.loads(r["state"] or "{}")
                      for r in db.execute("SELECT * FROM ves_entities")}
            self.check_states(store, states, problems)
        problems.unless(len(hashes) == 1, "state hashes %s" % hashes)

    def sync_is_done(self, store, problems, hashes):
        status = document("status", "--db", store)
        hashes.add(status["stateHash"])
        problems.unless(sum(status["conflictsByType"].values()) == 0 and
                        status["counts"]["conflict"] == 0,
                        "%s still counts a conflict" % store)
        problems.unless(status["counts"]["pending"] == 0 and
                        status["counts"]["failed"] == 0, "%s is not synced: %s"
                        % (store, status["counts"]))

    def check_states(self, store, states, problems):
        for code, quantity in self.stock.items():
            got = states.get(("inventory", code), {}).get("on_hand", "nan")
            problems.unless(Decimal(str(got)) == quantity,
                            "%s: stock of %s is %s, not %d" %
                            (store, code, got, quantity))
        total = 0
        for number, cents in self.money.items():
            kind = "return" if self.is_return[number] else "order"
            got = states.get((kind, number), {}).get("totals", {}).get(
                "total_minor")
            total += (got or 0) * (-1 if self.is_return[number] else 1)
            problems.unless(got == cents, "%s: %s %s comes to %s, not %d" %
                            (store, kind, number, got, cents))
        wanted = sum(c * (-1 if self.is_return[n] else 1)
                     for n, c in self.money.items())
        problems.unless(total == wanted, "%s: money %d, not %d" %
                        (store, total, wanted))
        for (kind, entity, member), value in self.fields.items():
            got = states.get((kind, entity), {}).get(member)
            problems.unless(got == value, "%s: %s %s: %s is %r, not %r" %
                            (store, kind, entity, member, got, value))
        self.total = total


def main():
    at = sys.argv.index("--")
    rng = random.Random(int(sys.argv[1]))
    problems = v.Problems()
    shop = Shop(rng, read(sys.argv[2:at]), sys.argv[at + 1:])
    shop.sync()
    shop.adjust()
    shop.correct_money()
    shop.call_customers()
    shop.ship_and_cancel()
    shop.write_late()
    shop.sync()
    found = len(shop.same_everywhere())
    problems.unless(found == 16 + 12 + 8 + shop.cancelled_late,
                    "%d conflicts" % found)
    shop.decide_all()
    shop.sync()
    shop.take_some_back()
    shop.check(problems)
    problems.unless(min(shop.used[s] for s in ("accept_local", "accept_remote",
                                               "merge", "manual")) > 2,
                    "too few of a strategy: %s" % dict(shop.used))
    print("%d rows, %d conflicts, decided %s, %d undone; stock of %d products, "
          "%d.%02d in %d documents" %
          (len(shop.rows), found, dict(shop.used), shop.undone,
           len(shop.stock), shop.total // 100, shop.total % 100,
           len(shop.money)))
    problems.end()


main()
