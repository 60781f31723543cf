"""Webhooks as their receivers see them. Whatever is signed is verified with the library of Standard Webhooks."""

import base64
import hashlib
import hmac
import http.server
import json
import socket
import sys
import threading
import time

from standardwebhooks import Webhook, WebhookVerificationError

from server import Koor

PLAIN = "a plain secret, ümläute and all"
ENCODED = "whsec_" + base64.b64encode(bytes(range(7, 39))).decode()


class Receiver:
    """Takes calls and keeps them, with the moment at which each came."""

    def __init__(self, port=0):
        self.calls = []
        self.news = threading.Condition()
        # While this is not set, nothing is answered.
        self.answers = threading.Event()
        self.answers.set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not receiver.answers.is_set():
                    receiver.answers.wait()
                    self.close_connection = True
                    return
                with receiver.news:
                    receiver.calls.append((time.monotonic(), {k.lower(): v for k, v in self.headers.items()}, body))
                    receiver.news.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, enough, patience):
        """Waits until that is true of the calls."""
        with self.news:
            assert self.news.wait_for(lambda: enough(self.calls), patience), \
                f"after {patience} s: {[json.loads(body)['data'] for _, _, body in self.calls]}"

    def numbers(self):
        """The numbers of the events, in the order in which they came for the first time."""
        return list(dict.fromkeys(json.loads(body)["data"]["n"] for _, _, body in self.calls))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def publish(koor, topic, numbers):
    return [koor.must("POST", "/api/events/publish", {"topic": topic, "data": {"n": n, "ü": "é"}, "source": "suite"})
            for n in numbers]


def signatures(koor):
    """Both kinds of secret, and no secret, against the library and by hand."""
    keys = {"plain": PLAIN.encode(), "encoded": base64.b64decode(ENCODED.removeprefix("whsec_"))}
    for name, secret in {"plain": PLAIN, "encoded": ENCODED, "unsigned": None}.items():
        receiver = Receiver()
        hook = {"id": name, "url": receiver.url, "patterns": ["signed.*"], "secret": secret}
        made = koor.must("POST", "/api/webhooks", hook)
        assert made["has_secret"] == (secret is not None) and "secret" not in made, made
        events = publish(koor, "signed.thing", range(3))
        receiver.wait_for(lambda calls: len(calls) >= 3, 10)
        assert [json.loads(body)["event_id"] for _, _, body in receiver.calls] == [event["id"] for event in events]
        for event, (_, headers, body) in zip(events, receiver.calls):
            assert headers["content-type"] == "application/json" and headers["x-koor-event"] == "true", headers
            assert headers["x-koor-delivery"], headers
            sent = json.loads(body)
            expected = {"topic": event["topic"], "data": event["data"], "source": event["source"],
                        "event_id": event["id"], "created_at": event["created_at"]}
            assert sent == expected, (sent, expected)
            if secret is None:
                assert not {"webhook-signature", "x-koor-signature"} & set(headers), headers
                continue
            key = keys[name]
            # The library takes a secret with its prefix, or the key in base64.
            library = Webhook(secret if name == "encoded" else base64.b64encode(key).decode())
            assert library.verify(body, headers) == sent
            # By the contract, the older header is keyed with the secret as it was given.
            by_hand = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            assert headers["x-koor-signature"] == by_hand, headers
            wrong = Webhook(base64.b64encode(b"another key").decode())
            for verifier, data, shown in [
                (wrong, body, headers),
                (library, body.replace(b"signed", b"forged"), headers),
                (library, body, {**headers, "webhook-id": "another"}),
                (library, body, {**headers, "webhook-timestamp": str(int(time.time()) + 1)}),
            ]:
                try:
                    verifier.verify(data, shown)
                except WebhookVerificationError:
                    continue
                raise AssertionError("a forged call was taken")
        koor.must("DELETE", f"/api/webhooks/{name}")
    print("signatures: verified by the library and by hand; forged ones are refused", flush=True)


def down_for_a_while(koor):
    """Connections are refused for some seconds: afterwards everything comes, in order."""
    port, count = free_port(), 40
    koor.must("POST", "/api/webhooks", {"id": "down", "url": f"http://127.0.0.1:{port}/hook", "patterns": ["down.*"]})
    publish(koor, "down.thing", range(count))
    time.sleep(3)
    failing = koor.must("GET", "/api/webhooks/down")
    assert failing["fail_count"] >= 2 and failing["last_error"] and failing["active"], failing
    receiver = Receiver(port)
    publish(koor, "down.thing", range(count, count + 10))
    receiver.wait_for(lambda _: len(receiver.numbers()) == count + 10, 20)
    assert receiver.numbers() == list(range(count + 10)), receiver.numbers()
    # The answer to the last call may still be on its way into the log.
    for _ in range(50):
        settled = koor.must("GET", "/api/webhooks/down")
        if settled["fail_count"] == 0 and settled["pending"] == 0:
            break
        time.sleep(0.1)
    assert settled["fail_count"] == 0 and settled["pending"] == 0 and settled["last_error"] == "", settled
    print(f"a receiver that was down: all {count + 10} events afterwards, in order", flush=True)


def hanging(koor):
    """One receiver never answers: the other gets everything at once, and so does the publisher."""
    stuck, well, count = Receiver(), Receiver(), 30
    stuck.answers.clear()
    koor.must("POST", "/api/webhooks", {"id": "stuck", "url": stuck.url, "patterns": ["both.*"]})
    koor.must("POST", "/api/webhooks", {"id": "well", "url": well.url, "patterns": ["both.*"]})
    slowest_publish, slowest_call = 0, 0
    for n in range(count):
        begun = time.monotonic()
        publish(koor, "both.thing", [n])
        published = time.monotonic()
        well.wait_for(lambda calls: len(calls) > n, 5)
        slowest_publish = max(slowest_publish, published - begun)
        slowest_call = max(slowest_call, well.calls[n][0] - begun)
        time.sleep(0.02)
    assert well.numbers() == list(range(count)) and not stuck.calls
    assert slowest_publish < 1 and slowest_call < 1, (slowest_publish, slowest_call)
    # It is given 10 s, and then it is a failure.
    deadline = time.monotonic() + 20
    while koor.must("GET", "/api/webhooks/stuck")["fail_count"] == 0:
        assert time.monotonic() < deadline, "a receiver that hangs does not count as failing"
        time.sleep(0.2)
    stuck.answers.set()
    stuck.wait_for(lambda _: len(stuck.numbers()) == count, 30)
    assert stuck.numbers() == list(range(count)), stuck.numbers()
    print(f"a receiver that hangs: the other had each event within {slowest_call * 1000:.0f} ms, a publisher waited "
          f"{slowest_publish * 1000:.0f} ms at most; let go, it got all {count}, in order", flush=True)


def main():
    begun = time.monotonic()
    with Koor(sys.argv[1]) as koor:
        signatures(koor)
        down_for_a_while(koor)
        hanging(koor)
    print(f"webhooks: all well, after {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
