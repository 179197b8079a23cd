"""soak.py URL KEYFILE PID SECONDS -- a sequencer under everything at once, and
its memory.

Pushes (new events, the same again, refused ones, requests that fail whole),
pages, followers that come, read, do not read and go, connections of one request,
clients that say half of what they have to, and callers nobody knows; for SECONDS.
Prints TAP without numbers: every answer is one of those it may be, nothing ends
with 500, and the memory of the process (anonymous pages, which is what it
allocates) stands still.

What it has to keep comes first: SQLite keeps up to 4 MiB of pages a connection
(CACHE_KIB of store_sqlite.c), of the sequencer's every connection, and a heap
keeps what its largest answers took. So a log that is larger than that is read
by many at once, and everybody else is there, too, until memory no longer rises;
SECONDS begin then.

An answer takes ANSWER_S at most.  What the process is given no time for, because
somebody stopped it (SIGSTOP) or the machine stood still, counts for nothing: not
of an answer, and not of SECONDS.  All that waited comes at once behind a pause of
PAUSE_S, which takes more memory than before: it comes to stand once more, and what
it rises before and after that are added.
"""
import http.client
import json
import os
import re
import select
import socket
import statistics
import sys
import threading
import time
import uuid

import vestest as v

URL, KEYFILE, PID, SECONDS = sys.argv[1], sys.argv[2], int(sys.argv[3]), \
    float(sys.argv[4])
HOST, PORT = re.match(r"http://(.*):(\d+)$", URL).groups()
ADMIN = open(KEYFILE).read().strip()
TENANT, STORE, LARGE = (str(uuid.uuid4()) for _ in range(3))
STREAM = "tenant_id=%s&store_id=%s" % (TENANT, STORE)
# What may have grown meanwhile without being a leak: a heap is never quite still.
SLACK_KB = int(os.environ.get("SOAK_SLACK_KB", 2048))
FOLLOWERS = 24
# A page is never larger than from the beginning on.
PAGE = 200
LARGE_EVENTS, LARGE_BYTES, READERS = 60, 100000, 8
# Memory that has not risen by so much for so many requests has come to stand;
# where it has not after so many times as many, it is held against itself as it is.
STILL_KB, STILL_REQUESTS, PATIENCE = 128, int(min(20000, max(1500, 50 * SECONDS))), 8

ANSWER_S, HANGS_S, LOOK_S, PAUSE_S = 60, 1200, 0.25, 5

counts, faults, newest = {}, [], {}
lock = threading.Lock()
still_s = 0.0  # how long the process has stood still
pauses = 0  # how often it did for PAUSE_S
ending, is_warm = threading.Event(), threading.Event()


def note(what, status, allowed):
    with lock:
        counts[what] = counts.get(what, 0) + 1
        if status not in allowed:
            faults.append("%s: %s" % (what, status))


def watch():
    """A stopped process says so; where all stand still, this thread does, too."""
    global still_s, pauses
    last, at_once = time.monotonic(), 0.0
    while True:
        time.sleep(LOOK_S)
        now = time.monotonic()
        with open("/proc/%d/stat" % PID) as stat:
            is_stopped = stat.read().rpartition(")")[2].split()[0] in "Tt"
        still = now - last if is_stopped else max(0, now - last - 1)
        before, at_once = at_once, at_once + still if still else 0.0
        with lock:
            still_s += still
            pauses += before < PAUSE_S <= at_once
        last = now


def awake():
    """Seconds that go on while the process does."""
    with lock:
        return time.monotonic() - still_s


def patiently(connect):
    """A backlog that is full while the process stands still does not count."""
    while True:
        before_s = still_s
        try:
            return connect()
        except TimeoutError:
            if still_s - before_s < 1:
                raise


def answered(what, began):
    took = awake() - began
    if took > ANSWER_S:
        note("%s took %.0f s" % (what, took), "too long", ())


class Caller:
    """One connection that is kept, and made again when the server closed it."""

    def __init__(self, key=ADMIN):
        self.key, self.connection = key, None

    def call(self, method, path, body=None, key=None):
        for is_again in (False, True):
            began = awake()
            if not self.connection:
                self.connection = http.client.HTTPConnection(HOST, int(PORT),
                                                             timeout=HANGS_S)
                patiently(self.connection.connect)
            try:
                sent = json.dumps(body).encode() if isinstance(body, dict) else body
                self.connection.request(method, path, sent, {
                    "x-api-key": key or self.key,
                    "content-type": "application/json"})
                answer = self.connection.getresponse()
                data = answer.read()
                answered(path[:40], began)
                return answer.status, data
            except (http.client.HTTPException, ConnectionError):
                self.close()
                if is_again:
                    raise

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


def register(caller, seed):
    agent = str(uuid.uuid4())
    status, _ = caller.call("POST", "/api/v1/agents/keys", {
        "tenantId": TENANT, "agentId": agent, "keyId": 1,
        "publicKey": v.public_key(seed).hex()})
    note("register", status, (200,))
    return agent


def ingest(caller, what, agent, events, refused=0):
    """The end of the log then."""
    status, data = caller.call("POST", "/api/v1/ves/events/ingest",
                               {"agentId": agent, "events": events})
    note(what, status, (200,))
    answer = json.loads(data)
    if status == 200 and (len(answer["receipts"]) != len(events) - refused or
                          len(answer.get("rejections", [])) != refused):
        note(what, "wrong counts", ())
    return answer["headSequence"]


def push(number):
    """First a page of events, then requests of some that the log has; every fifth
    has a new one and one that is refused, too."""
    seed, caller, n = bytes([number]) * 32, Caller(), 0
    agent = register(caller, seed)

    def make():
        return v.make_event(seed, TENANT, STORE, agent, "order.created",
                            "S-%d-%d" % (number, n % 50), {"n": n, "text": "x" * 200})

    old = [make() for n in range(PAGE)]
    ingest(caller, "push", agent, old)
    old = old[-8:]
    while not ending.wait(0.04):
        n += 1
        if n % 5:
            ingest(caller, "replay", agent, old)
            continue
        new = make()
        bad = dict(new, event_id=str(uuid.uuid4()),
                   payload_plain_hash="0x" + "00" * 32)
        head = ingest(caller, "push", agent, [new, bad] + old, 1)
        old = (old + [new])[-8:]
        newest[number] = head
        status, _ = caller.call("POST", "/api/v1/ves/events/ingest", {
            "agentId": agent, "events": []})
        note("refused whole", status, (400,))


def fill():
    """A log larger than what a connection keeps of it, and many who read it."""
    seed, caller = bytes([9]) * 32, Caller()
    agent = register(caller, seed)
    for n in range(LARGE_EVENTS):
        ingest(caller, "large", agent, [v.make_event(
            seed, TENANT, LARGE, agent, "order.created", "L-%d" % n,
            {"n": n, "text": "%x" % n * (LARGE_BYTES // len("%x" % n))})])
    readers = [threading.Thread(target=guarded, args=(read, number), daemon=True)
               for number in range(READERS)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()


def read(number):
    caller, at = Caller(), 1 + number * LARGE_EVENTS // READERS
    while not is_warm.wait(0.005) and not ending.is_set():
        status, _ = caller.call(
            "GET", "/api/v1/ves/events?tenant_id=%s&store_id=%s&from=%d&limit=2&receipts=1"
            % (TENANT, LARGE, at))
        note("read", status, (200,))
        at = at + 2 if at + 2 <= LARGE_EVENTS else 1
    caller.close()


def pull():
    caller, at = Caller(), 1
    while not ending.wait(0.03):
        status, data = caller.call(
            "GET", "/api/v1/ves/events?%s&from=%d&limit=%d&receipts=1&checkpoint=1"
            % (STREAM, at, PAGE // 2))
        note("page", status, (200,))
        page = json.loads(data)
        at = page["next_sequence"] if page.get("has_more") else 1


def wrong():
    caller = Caller()
    unknown = "ss_" + "x" * 40
    tries = (("GET", "/api/v1/ves/head?" + STREAM, None, unknown, 401),
             ("GET", "/nowhere/" + "a" * 500, None, None, 404),
             ("GET", "/api/v1/ves/events?" + STREAM + "&limit=0", None, None, 400),
             ("POST", "/api/v1/ves/events/ingest", b"{" * 3000, None, 400),
             ("POST", "/api/v1/agents/keys", b"[" * 100000, None, 413),
             ("DELETE", "/api/v1/ves/head", None, None, 405))
    while not ending.wait(0.05):
        for method, path, body, key, want in tries:
            status, _ = caller.call(method, path, body, key)
            note("wrong", status, (want,))


def come_and_go():
    while not ending.wait(0.03):
        caller = Caller()
        status, _ = caller.call("GET", "/api/v1/ves/head?" + STREAM)
        note("come and go", status, (200,))
        caller.close()


def dial(text):
    began = awake()
    s = patiently(lambda: socket.create_connection((HOST, int(PORT)), timeout=HANGS_S))
    s.sendall(text.encode())
    answered("dial", began)
    return s


def follow():
    """So many follow; one goes and another one comes all the time.  One of four
    does not read, and begins where more than a socket holds is to come; what is to
    come for the others does not grow with the log."""
    open_ones, n = [], 0
    while not ending.wait(0.1):
        n += 1
        reads = n % 4 != 0
        store, begin = (STORE, max(1, max(newest.values(), default=1) - PAGE)) \
            if reads else (LARGE, 1)
        open_ones.append((reads, dial(
            "GET /api/v1/ves/events/stream?tenant_id=%s&store_id=%s&from=%d&receipts=1%s "
            "HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\n\r\n"
            % (TENANT, store, begin, "&heads=1" if n % 2 else "", ADMIN))))
        note("follow", 200, (200,))
        if len(open_ones) > FOLLOWERS:
            open_ones.pop(0)[1].close()
        reading = [s for reads, s in open_ones if reads]
        for s in select.select(reading, [], [], 0)[0]:
            try:
                s.recv(65536)
            except ConnectionError:  # who stood still thinks that we did not read
                if still_s < 1:
                    raise
    for _, s in open_ones:
        s.close()


def half():
    """Half a request line, half the headers, half a body, half an answer."""
    texts = ("GET /api/v1/ve", "GET /health HTTP/1.1\r\nHost: x\r\nx-a: ",
             "POST /api/v1/ves/events/ingest HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\n"
             "Content-Length: 100000\r\n\r\n{\"agentId\":" % ADMIN,
             "GET /api/v1/ves/events?%s&limit=%d&receipts=1 HTTP/1.1\r\nHost: x\r\n"
             "x-api-key: %s\r\n\r\n" % (STREAM, PAGE, ADMIN),
             "\x16\x03\x01\x02\x00", "\r\n\r\n\r\n")
    waiting, n = [], 0
    while not ending.wait(0.05):
        n += 1
        waiting.append(dial(texts[n % len(texts)]))
        note("half", 200, (200,))
        if len(waiting) > 40:
            waiting.pop(0).close()
    for s in waiting:
        s.close()


def memory_kb():
    status = open("/proc/%d/status" % PID).read()
    return int(re.search(r"RssAnon:\s+(\d+)", status).group(1))


def guarded(work, *arguments):
    try:
        work(*arguments)
    except Exception as error:  # noqa: what ends a thread has to be told
        with lock:
            faults.append("%s: %r" % (work.__name__, error))


def report(name, condition, detail=""):
    print("%s %s" % ("ok" if condition else "not ok", name))
    if not condition:
        print("# %s" % (detail,))


def sample():
    time.sleep(LOOK_S)
    with lock:
        return memory_kb(), sum(counts.values())


def settle():
    """Until memory stands; says after how many requests, and how much it is."""
    started, highest, (kb, begin) = time.monotonic(), 0, sample()
    asked = risen = begin
    while asked - begin < PATIENCE * STILL_REQUESTS and not faults:
        kb, asked = sample()
        if kb > highest + STILL_KB:
            highest, risen = kb, asked
        if counts.get("read") and asked - risen >= STILL_REQUESTS:
            break
    is_warm.set()
    print("%d kB after %d requests, %.0f s" %
          (kb, asked - begin, time.monotonic() - started))


def soak():
    """Its memory for SECONDS, as runs of samples without a pause between."""
    run, runs, soaked = [], [], 0
    began, before = awake(), pauses
    while soaked + awake() - began < SECONDS and not faults:
        run.append(sample())
        if pauses > before:
            soaked += awake() - began
            runs, run = runs + [run], []
            settle()
            began, before = awake(), pauses
    return [run for run in runs + [run] if run]


def growth(run):
    tenth = max(1, len(run) // 10)
    return statistics.median(kb for kb, _ in run[-tenth:]) - \
        statistics.median(kb for kb, _ in run[:tenth])


def main():
    threads = [threading.Thread(target=guarded, args=work, daemon=True) for work in (
        (push, 1), (push, 2), (fill,), (pull,), (wrong,), (come_and_go,), (follow,),
        (half,))]
    for thread in threads:
        thread.start()
    threading.Thread(target=guarded, args=(watch,), daemon=True).start()
    settle()
    runs = soak()
    ending.set()
    for thread in threads:
        thread.join(HANGS_S)
    if still_s >= 1:
        print("it stood still for %.0f s" % still_s)
    report("every answer is one it may be", not faults, "\n# ".join(faults[:10]))
    report("everybody was there (%s)" % ", ".join(
        "%s %d" % item for item in sorted(counts.items())),
        len(counts) == 11 and min(counts.values()) >= 2, counts)
    grown = sum(growth(run) for run in runs)
    asked = sum(run[-1][1] - run[0][1] for run in runs)
    print("%d kB, then %d kB" % (runs[0][0][0], runs[-1][-1][0]))
    report("memory stands still: %d kB more after %d requests more" % (grown, asked),
           grown <= SLACK_KB and asked > 100,
           [[kb for kb, _ in run[::max(1, len(run) // 40)]] for run in runs])


main()
