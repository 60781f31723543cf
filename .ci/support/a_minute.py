"""What takes a minute to be seen, all of it at once: a receiver that is down for one, WebSockets whose peers are silent,
9,000 idle connections, and requests that never come to an end."""

import concurrent.futures
import json
import selectors
import socket
import sys
import threading
import time
import urllib.parse

from server import Koor
from webhooks import Receiver, free_port, publish

# As many as strangers may hold: of 10,000 in all, 1,000 are for those who are identified.
IDLE = 9_000
# More than one takes by far; nine thousand of them fit into what a small machine has.
BYTES_EACH = 20 << 10
# What the process may take up, beside the pages of files that it has mapped: those are the machine's to give and to take.
MOST = 256 << 20
# How much longer than before somebody may wait, and what two shared processors can't tell from chance.
TIMES, UNNOTICED = 10, 0.050
SLOW = 150


def connect(koor):
    place = urllib.parse.urlsplit(koor.url)
    return socket.create_connection((place.hostname, place.port), timeout=90)


def down_for_a_minute(koor):
    """Connections are refused for 60 s: afterwards everything comes, in order, with nobody's help."""
    port, count = free_port(), 200
    koor.must("POST", "/api/webhooks", {"id": "minute", "url": f"http://127.0.0.1:{port}/hook", "patterns": ["minute.*"]})
    begun = time.monotonic()
    for start in range(0, count, 10):
        publish(koor, "minute.thing", range(start, start + 10))
        time.sleep(max(0, begun + 60 * (start + 10) / count - time.monotonic()))
    failing = koor.must("GET", "/api/webhooks/minute")
    assert failing["active"] and failing["fail_count"] >= 4 and failing["pending"] == count, failing
    receiver = Receiver(port)
    down = time.monotonic() - begun
    receiver.wait_for(lambda _: len(receiver.numbers()) == count, 60)
    assert receiver.numbers() == list(range(count)), receiver.numbers()
    return f"a receiver that was down for {down:.0f} s: all {count} events in order, {time.monotonic() - begun - down:.0f} s later"


def subscribe(koor):
    """A WebSocket by hand: libraries answer pings by themselves."""
    stream = connect(koor)
    place = urllib.parse.urlsplit(koor.url)
    stream.sendall((
        f"GET /api/events/subscribe?pattern=silent.* HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode())
    reader = stream.makefile("rb")
    assert reader.readline().startswith(b"HTTP/1.1 101 ")
    while reader.readline() != b"\r\n":
        pass
    return stream, reader


PING, PONG = 0x89, 0x8A


def frame(reader):
    """The next frame's first byte and its payload; nothing when the connection has ended."""
    head = reader.read(2)
    return (head[0], reader.read(head[1])) if head else (None, b"")


def silent_peers(koor):
    """One answers no ping and is dropped after 60 s; one does and is not."""
    begun = time.monotonic()
    (_, silent), (lively_stream, lively) = subscribe(koor), subscribe(koor)
    answered = threading.Event()

    def send(kind, payload=b""):
        # Masked with zeros, as a client has to.
        lively_stream.sendall(bytes([kind, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    def answer():
        while (got := frame(lively))[0] == PING:
            send(PONG, got[1])
        if got == (PONG, b"still there"):
            answered.set()
    threading.Thread(target=answer, daemon=True).start()
    pings = []
    while (got := frame(silent))[0] == PING:
        assert got[1].startswith(b"cursor="), got
        pings.append(time.monotonic() - begun)
    dropped = time.monotonic() - begun
    assert got[0] is None, got
    assert len(pings) == 2 and all(abs(at - due) < 3 for at, due in zip(pings, (20, 40))), pings
    assert 58 < dropped < 66, dropped
    send(PING, b"still there")
    assert answered.wait(5), "the one that answers was dropped too"
    return f"a silent WebSocket: pinged after {', '.join(f'{at:.0f} s' for at in pings)}, dropped after {dropped:.0f} s"


def memory(koor):
    with open(f"/proc/{koor.process.pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("RssAnon"))


def publish_p99(koor):
    """How long 99 of 100 events take to be published, one after another."""
    took = []
    for n in range(200):
        asked = time.monotonic()
        koor.must("POST", "/api/events/publish", {"topic": "idle", "data": n})
        took.append(time.monotonic() - asked)
    return sorted(took)[len(took) * 99 // 100]


def idle(program):
    """9,000 connections that have asked once and ask no more."""
    with Koor(program, "--log-level", "warn") as koor:
        place = urllib.parse.urlsplit(koor.url)
        request = f"GET /health HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode()
        quiet = publish_p99(koor)
        before = memory(koor)
        begun, streams = time.monotonic(), []
        for _ in range(IDLE):
            stream = connect(koor)
            stream.sendall(request)
            assert stream.recv(4096).startswith(b"HTTP/1.1 200 ")
            streams.append(stream)
        opened = time.monotonic() - begun
        assert opened < 50, f"too slow to have them all at once: {opened:.0f} s"
        p99 = publish_p99(koor)
        most = memory(koor)
        each = (most - before) / IDLE
        assert each < BYTES_EACH and most < MOST, (each, most)
        assert p99 < max(TIMES * quiet, UNNOTICED), (p99, quiet)
        # None was closed to make room, and each is in its time.
        streams[-1].setblocking(False)
        try:
            raise AssertionError(streams[-1].recv(1))
        except BlockingIOError:
            pass
        for stream in streams:
            stream.settimeout(90)
            assert stream.recv(1) == b""
        lived = time.monotonic() - begun - opened
        assert 50 < lived < 70, lived
        for stream in streams:
            stream.close()
    return (f"{IDLE} idle connections: {each / 1024:.1f} KiB each, {most >> 20} MiB in all; p99 of others {p99 * 1000:.1f} ms, "
            f"{quiet * 1000:.1f} before; closed after {lived:.0f} s")


def slow_requests(koor):
    """Heads and bodies of which a byte comes now and then: cut off after 10 s, while others are served."""
    place = urllib.parse.urlsplit(koor.url)
    heads, bodies, begun = [], [], time.monotonic()
    for n in range(SLOW):
        heads.append(connect(koor))
        heads[-1].sendall(b"GET /health HTTP/1.1\r\nX")
        bodies.append(connect(koor))
        bodies[-1].sendall(f"PUT /api/state/slow-{n} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 1000\r\n\r\n".encode())
    waiting = selectors.DefaultSelector()
    for stream in heads + bodies:
        waiting.register(stream, selectors.EVENT_READ)
    ended, slowest, drip = {}, 0, begun
    while len(ended) < 2 * SLOW:
        assert time.monotonic() - begun < 20, f"only {len(ended)} of {2 * SLOW} have ended"
        asked = time.monotonic()
        koor.must("PUT", "/api/state/quick", {"a": 1})
        slowest = max(slowest, time.monotonic() - asked)
        if time.monotonic() - drip >= 1:
            drip = time.monotonic()
            for key in list(waiting.get_map().values()):
                try:
                    key.fileobj.send(b"x")
                except OSError:
                    pass
        for key, _ in waiting.select(0.05):
            waiting.unregister(key.fileobj)
            try:
                answer = key.fileobj.recv(4096)
            except ConnectionResetError:
                answer = b""
            ended[key.fileobj] = time.monotonic() - begun, answer
    for stream in heads:
        at, answer = ended[stream]
        assert 9 < at < 14 and answer == b"", (at, answer)
    for stream in bodies:
        at, answer = ended[stream]
        assert 9 < at < 14 and answer.startswith(b"HTTP/1.1 408 "), (at, answer)
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"] == 408, answer
    assert slowest < 2, slowest
    last = max(at for at, _ in ended.values())
    return f"{SLOW} slow heads and {SLOW} slow bodies: all ended after {last:.1f} s, others waited {slowest * 1000:.0f} ms at most"


def main():
    begun = time.monotonic()
    program = sys.argv[1]
    with Koor(program, "--log-level", "warn") as koor, concurrent.futures.ThreadPoolExecutor() as pool:
        # Alone at first, so that what it measures is not the opening of ten thousand connections.
        print(slow_requests(koor), flush=True)
        parts = [pool.submit(down_for_a_minute, koor), pool.submit(silent_peers, koor), pool.submit(idle, program)]
        for part in parts:
            print(part.result(), flush=True)
    print(f"a-minute: all well, after {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
