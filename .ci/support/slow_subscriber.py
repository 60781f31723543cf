"""A WebSocket subscriber that reads nothing for a while, beside one publisher with many connections."""

import asyncio
import json
import socket
import statistics
import sys
import time
import urllib.parse

from websockets.sync.client import connect

from server import Koor

EVENTS = 20_000
KEPT = 5_000
SILENCE = 10
CONNECTIONS = 64
# Far more of them than fits into the buffers of two sockets.
FILLER = "x" * 1024
# Many short rounds: neighbours on the machine disturb some of them. Where those are too many, as many again are taken.
PAIRS, MOST_PAIRS, EVENTS_A_ROUND = 15, 45, 2_000
# The server prunes so often, counted from its start.
PRUNING = 60


class Publisher(asyncio.Protocol):
    """One connection that publishes one event after the other, taking turns with the others."""

    def __init__(self, numbers, request, done):
        self.numbers, self.request, self.done, self.seen = numbers, request, done, b""

    def connection_made(self, transport):
        self.transport = transport
        self.publish()

    def publish(self):
        number = next(self.numbers, None)
        if number is None:
            self.transport.close()
            return
        self.transport.write(self.request(number))

    def data_received(self, data):
        self.seen += data
        head, end, body = self.seen.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200 "):
            self.done.set_exception(AssertionError(f"publish: {self.seen[:300]}"))
        self.seen = b""
        self.publish()

    def connection_lost(self, error):
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)


def publish(koor, topic, count):
    """Publishes events with the numbers from 0 on, and returns how many a second there were."""
    place = urllib.parse.urlsplit(koor.url)

    def request(number):
        body = b'{"topic":"%s","data":{"n":%d,"filler":"%s"}}' % (topic.encode(), number, FILLER.encode())
        return b"POST /api/events/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def all_of_them():
        loop = asyncio.get_running_loop()
        numbers, ends = iter(range(count)), []
        for _ in range(CONNECTIONS):
            done = loop.create_future()
            ends.append(done)
            await loop.create_connection(lambda end=done: Publisher(numbers, request, end), place.hostname, place.port)
        await asyncio.gather(*ends)

    begun = time.monotonic()
    asyncio.run(all_of_them())
    return count / (time.monotonic() - begun)


def subscriber(koor, pattern):
    """A connection that has subscribed and takes hardly anything unless it is read from."""
    place = urllib.parse.urlsplit(koor.url)
    for family, kind, protocol, _, address in socket.getaddrinfo(place.hostname, place.port, type=socket.SOCK_STREAM):
        plain = socket.socket(family, kind, protocol)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            plain.connect(address)
            break
        except ConnectionRefusedError:
            plain.close()
    address = f"ws://{place.netloc}/api/events/subscribe?pattern={pattern}"
    return connect(address, sock=plain, max_queue=1, compression=None, ping_interval=None, close_timeout=1)


def round_of(koor, with_stuck):
    if not with_stuck:
        return publish(koor, "rate.thing", EVENTS_A_ROUND)
    stuck = subscriber(koor, "rate.*")
    try:
        # Full to the brim before the round begins.
        publish(koor, "rate.thing", EVENTS_A_ROUND)
        return publish(koor, "rate.thing", EVENTS_A_ROUND)
    finally:
        stuck.socket.close()


def nothing_is_slower(koor):
    """Rounds without and with a subscriber that does not read, in turns; the median of how they compare."""
    ratios = []
    publish(koor, "warm.up", EVENTS_A_ROUND)
    while len(ratios) < PAIRS or (statistics.median(ratios) < 0.9 and len(ratios) < MOST_PAIRS):
        rates = {}
        # Who comes first takes turns, too.
        for stuck in (True, False) if len(ratios) % 2 else (False, True):
            rates[stuck] = round_of(koor, stuck)
        ratios.append(rates[True] / rates[False])
    ratio = statistics.median(ratios)
    print(f"with a subscriber that reads nothing, publishing is {ratio:.2f} times as fast as without (median of "
          f"{len(ratios)} pairs, from {min(ratios):.2f} to {max(ratios):.2f}); {rates[False]:.0f}/s without, last",
          flush=True)
    assert ratio >= 0.9, ratio


def nothing_kept_is_lost(koor, started):
    # The log must be pruned while the subscriber is silent.
    for_now = time.monotonic() - started
    time.sleep((PRUNING - 8 - for_now) % PRUNING)
    with subscriber(koor, "slow.*") as slow:
        silent_since = time.monotonic()
        rate = publish(koor, "slow.thing", EVENTS)
        last = koor.must("GET", "/api/events/history?last=1")[0]["id"]
        first = last - EVENTS + 1
        while True:
            oldest = koor.must("GET", "/api/events/history?after=0&last=1")[0]["id"]
            if oldest > first and time.monotonic() - silent_since >= SILENCE:
                break
            assert time.monotonic() - silent_since < 40, "the log was not pruned"
            time.sleep(0.1)
        silence = time.monotonic() - silent_since
        events, gaps = [], []
        while not events or events[-1] != last:
            frame = json.loads(slow.recv(timeout=20))
            if frame.get("type") == "gap":
                gaps.append((len(events), frame))
                continue
            assert frame["topic"] == "slow.thing" and frame["data"]["filler"] == FILLER, frame["id"]
            events.append(frame["id"])
        # From here on it is a subscriber like any other.
        publish(koor, "slow.live", 1)
        live = json.loads(slow.recv(timeout=20))
    assert live["topic"] == "slow.live" and live["id"] > last, live
    assert len(gaps) == 1, gaps
    before, gap = gaps[0]
    expected = {"type": "gap", "missed": oldest - (first + before), "resume_from": oldest}
    assert gap == expected, (gap, expected)
    assert events == [*range(first, first + before), *range(oldest, last + 1)], "out of order, repeated or lost"
    print(f"a subscriber that read nothing for {silence:.1f} s while {EVENTS} events were published ({rate:.0f}/s): "
          f"{before} that were on their way, a gap of {gap['missed']}, then all {last - oldest + 1} still kept, in order",
          flush=True)


def main():
    begun = time.monotonic()
    with Koor(sys.argv[1], "--log-level", "info", "--event-retention", str(KEPT)) as koor:
        started = time.monotonic()
        nothing_is_slower(koor)
        nothing_kept_is_lost(koor, started)
    print(f"slow-subscriber: all well, after {time.monotonic() - begun:.0f} s")


main()
