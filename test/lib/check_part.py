"""check_part.py URL KEY TENANT STORE TYPE [ID] -- reads filtered pages and
computes, with nothing but SHA-256, that events and covers add up to the root
the log has signed.  Prints "events N pages M numbers a,b,c".
"""
import base64, hashlib, json, sys, urllib.parse, urllib.request, uuid


def sha(data):
    return hashlib.sha256(data).digest()


def node(left, right):
    return sha(b"\1" + left + right)


class Tree:
    """Complete subtrees, largest first: (level, hash)."""

    def __init__(self):
        self.parts, self.size = [], 0

    def add(self, level, value):
        assert self.size % (1 << level) == 0
        self.size += 1 << level
        self.parts.append((level, value))
        while len(self.parts) > 1 and self.parts[-1][0] == self.parts[-2][0]:
            (level, right), (_, left) = self.parts.pop(), self.parts.pop()
            self.parts.append((level + 1, node(left, right)))

    def root(self):
        out = None
        for _, value in reversed(self.parts):
            out = value if out is None else node(value, out)
        return out or sha(b"")


def covers(at, end):
    while at < end:
        level = 0
        while at % (2 << level) == 0 and at + (2 << level) <= end:
            level += 1
        yield level
        at += 1 << level


def get(url, key):
    request = urllib.request.Request(url, headers={"x-api-key": key})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


def leaf_of(index, size, prefix, key):
    """The entry's hash out of the log's own tiles."""
    tile, at = divmod(index, 256)
    width = min(256, size - tile * 256)
    name = f"{tile:03d}" + ("" if width == 256 else f".p/{width}")
    data = get(f"{prefix}/tile/entries/{name}", key)
    for _ in range(at):
        data = data[2 + int.from_bytes(data[:2], "big"):]
    return data[2:2 + int.from_bytes(data[:2], "big")]


def main():
    url, key, tenant, store, kind = sys.argv[1:6]
    ident = sys.argv[6] if len(sys.argv) > 6 else None
    query = {"tenant_id": tenant, "store_id": store}
    about = json.loads(get(f"{url}/api/v1/ves/log?{urllib.parse.urlencode(query)}", key))
    prefix = url + about["prefix"]
    query.update({"entity_type": kind, "receipts": "1", "limit": "7"})
    if ident:
        query["entity_id"] = ident
    tree, numbers, pages, more = Tree(), [], 0, True
    while more:
        query["from"] = tree.size + 1
        page = json.loads(get(f"{url}/api/v1/ves/events?{urllib.parse.urlencode(query)}", key))
        size = int(page["checkpoint"].split("\n")[1])
        root = base64.b64decode(page["checkpoint"].split("\n")[2])
        hashes = iter([bytes.fromhex(text) for text in page["covers"]])
        end = page["next_sequence"] - 1
        for item in page["events"]:
            envelope = item["envelope"]
            assert envelope["entity_type"] == kind
            assert ident is None or envelope["entity_id"] == ident
            index = envelope["sequence_number"] - 1
            for level in covers(tree.size, index):
                tree.add(level, next(hashes))
            raw = leaf_of(index, size, prefix, key)
            assert raw[11:43] == uuid.UUID(tenant).bytes + uuid.UUID(store).bytes
            assert raw[-64:].hex() == envelope["agent_signature"].removeprefix("0x")
            tree.add(0, sha(b"\0" + raw))
            numbers.append(index + 1)
        for level in covers(tree.size, end):
            tree.add(level, next(hashes))
        assert next(hashes, None) is None, "a cover too many"
        assert tree.size == end
        if end == size:
            assert tree.root() == root, "another root"
            assert page["consistency"] == []
        pages, more = pages + 1, page["has_more"]
    assert tree.size == size
    print(f"events {len(numbers)} pages {pages} numbers {','.join(map(str, numbers))}")


main()
