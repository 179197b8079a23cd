"""check_import.py FILE.csv STORE.db [CURRENCY] [--state] [--with-others]

Reads a shop's invoices with Python's csv module and works out, independently of
ves, which events they must become; compares them with the store's outbox.  With
--state also the folded entities of the store: stock of every product, money of
every order and return.  With --with-others the outbox may hold events that no
import made.
"""
import csv
import json
import sys
from collections import Counter, defaultdict
from decimal import Decimal

import vestest as v

HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate",
          "UnitPrice", "CustomerID", "Country"]


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        rows = list(csv.reader(f, strict=True))
    assert rows[0] == HEADER, rows[0]
    return [dict(zip(HEADER, row)) for row in rows[1:] if row]


def customer(row):
    c = row["CustomerID"]
    return c[:-2] if c.endswith(".0") else c


def minor(price):
    cents = Decimal(price) * 100
    return int(cents) if cents == cents.to_integral_value() else None


def expected(rows, currency):
    """(events, stock, money): Counter of canonical (type, id, payload)."""
    events, stock = Counter(), defaultdict(int)
    invoices, money = defaultdict(list), {}
    seen = set()
    for row in rows:
        invoices[row["InvoiceNo"]].append(row)
    for number, lines in invoices.items():
        is_return = number.startswith("C")
        sign = -1 if is_return else 1
        kind = "return" if is_return else "order"
        payload = {kind + "_number": number, "currency": currency,
                   ("returned_at" if is_return else "ordered_at"):
                   lines[0]["InvoiceDate"], "source": "online-retail",
                   "lines": []}
        if customer(lines[0]):
            payload["customer_id"] = customer(lines[0])
        if lines[0]["Country"]:
            payload["country"] = lines[0]["Country"]
        total = 0
        for place, row in enumerate(lines):
            quantity = int(row["Quantity"])
            line = {"line_uid": str(place), "product_id": row["StockCode"],
                    "quantity": str(sign * quantity),
                    "unit_price": row["UnitPrice"]}
            if row["Description"]:
                line["name"] = row["Description"]
            cents = minor(row["UnitPrice"])
            if cents is not None:
                line["unit_price_minor"] = cents
            total = None if total is None or cents is None else (
                total + cents * quantity)
            payload["lines"].append(line)
            stock[row["StockCode"]] -= quantity
            events["inventory.adjusted", row["StockCode"], v.jcs(
                {"product_id": row["StockCode"], "delta": str(-quantity),
                 "reason_code": "return" if is_return else "sale",
                 kind + "_id": number})] += 1
        if total is not None:
            payload["totals"] = {"total_minor": sign * total}
            money[kind, number] = sign * total
        events[kind + ".created", number, v.jcs(payload)] += 1
    for row in rows:
        name = customer(row)
        if name and name not in seen:
            seen.add(name)
            payload = {"customer_id": name, "source": "online-retail"}
            if row["Country"]:
                payload["country"] = row["Country"]
            events["customer.created", name, v.jcs(payload)] += 1
    return events, stock, money


def found(db, problems, with_others):
    events = Counter()
    ids = set()
    for row in db.execute("SELECT * FROM ves_outbox ORDER BY local_seq"):
        e = json.loads(row["envelope"])
        e["payload"].pop("_ves")
        if with_others and e["event_id"][14] != "8":
            continue
        problems.unless(v.uuid_text(row["event_id"])[14] == "8",
                        "event %s is not a UUIDv8" % e["event_id"])
        problems.unless(e["event_id"] not in ids, "%s twice" % e["event_id"])
        ids.add(e["event_id"])
        events[e["event_type"], e["entity_id"], v.jcs(e["payload"])] += 1
    return events


def check_state(db, stock, money, problems):
    states = {(r["entity_type"], r["entity_id"]): json.loads(r["state"] or "{}")
              for r in db.execute("SELECT * FROM ves_entities")}
    for code, quantity in stock.items():
        state = states.get(("inventory", code), {})
        problems.unless(Decimal(str(state.get("on_hand", "nan"))) == quantity,
                        "stock of %s is %s, the file says %d" %
                        (code, state.get("on_hand"), quantity))
    total = 0
    for (kind, number), cents in money.items():
        got = states.get((kind, number), {}).get("totals", {}).get(
            "total_minor")
        total += (got or 0) * (-1 if kind == "return" else 1)
        problems.unless(got == cents, "%s %s comes to %s, the file says %d" %
                        (kind, number, got, cents))
    wanted = sum(c * (-1 if k == "return" else 1)
                 for (k, _), c in money.items())
    problems.unless(total == wanted, "money: %d, not %d" % (total, wanted))
    print("stock of %d products, %d.%02d in %d documents" %
          (len(stock), wanted // 100, wanted % 100, len(money)))


def main():
    is_state = "--state" in sys.argv
    with_others = "--with-others" in sys.argv
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    problems = v.Problems()
    rows = read(args[0])
    wanted, stock, money = expected(rows, args[2] if len(args) > 2 else "GBP")
    db = v.open_store(args[1])
    got = found(db, problems, with_others)
    for event in wanted - got:
        problems.say("missing: %s %s %s" % event)
    for event in got - wanted:
        problems.say("too many: %s %s %s" % event)
    if is_state:
        check_state(db, stock, money, problems)
    print("%d rows, %d events" % (len(rows), sum(wanted.values())))
    problems.end()


main()
