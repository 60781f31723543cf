"""The server behind nginx and behind Caddy, each with TLS by a test CA and the configuration that packaging/ has."""

import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from websockets.sync.client import connect

from server import Koor

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "koor.example.org"
TOKEN = "a-token-for-the-proxies"
# Longer than any proxy that buffers would be let off with.
PATIENCE = 10
# Longer than nginx waits for an answer when it is told nothing: a minute.
LONG = 65


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def authority(directory):
    """A CA, and a certificate in that directory, for the name and for `localhost`, which `koor` can find."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=A test CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={NAME}",
            "-keyout", "site.key", "-out", "site.csr")
    (directory / "names").write_text(f"subjectAltName=DNS:{NAME},DNS:localhost\n")
    openssl("x509", "-req", "-in", "site.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "site.pem")


def ours(text, directory, koor, places):
    """A configuration of packaging/, with this run's ports and certificates. What is to be replaced must be there."""
    for shipped, here in {"127.0.0.1:9800": koor.url.removeprefix("http://"),
                          "127.0.0.1:9847": koor.dashboard.removeprefix("http://"),
                          f"/etc/ssl/certs/{NAME}.pem": str(directory / "site.pem"),
                          f"/etc/ssl/private/{NAME}.key": str(directory / "site.key"), **places}.items():
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    return text


def nginx(directory, koor, port):
    text = ours((ROOT / "packaging/nginx/koor.conf").read_text(), directory, koor,
                {"/var/log/nginx/": f"{directory}/access-"})
    for shipped, here in {"listen 80;": f"listen 127.0.0.1:{free_port()};",
                          "listen 443 ssl": f"listen 127.0.0.1:{port} ssl"}.items():
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    places = "".join(f"{kind}_temp_path {directory}/{kind};\n"
                     for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    whole = (f"daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr warn;\n"
             f"events {{ }}\nhttp {{ access_log off;\n{places}{text}\n}}\n")
    (directory / "nginx.conf").write_text(whole)
    return ["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf")], {}


def caddy(directory, koor, port):
    text = ours((ROOT / "packaging/caddy/Caddyfile").read_text(), directory, koor, {})
    # For `localhost` Caddy has a CA of its own at hand. This machine shall not come to trust it.
    site = f"\n{NAME} {{"
    assert site in text
    text = text.replace(site, f"\nhttps://{NAME}:{port}, https://localhost:{port} {{\n\tbind 127.0.0.1")
    options = "\n{\n"
    assert options in text
    text = text.replace(options, f"{options}\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n"
                                 f"\tgrace_period 1s\n\thttp_port {free_port()}\n", 1)
    (directory / "Caddyfile").write_text(text)
    home = {name: str(directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile")], home


class Through:
    """A client that reaches the server through a proxy."""

    def __init__(self, directory, port):
        self.directory, self.port = directory, port
        self.tls = ssl.create_default_context(cafile=directory / "ca.pem")
        self.headers = {"Authorization": f"Bearer {TOKEN}", "Host": f"{NAME}:{port}"}

    def socket(self, patience):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=patience)
        return self.tls.wrap_socket(plain, server_hostname=NAME)

    def open(self, method, path, body=None, patience=PATIENCE, **headers):
        connection = http.client.HTTPConnection(NAME, self.port)
        connection.sock = self.socket(patience)
        named = {**self.headers, **headers}
        connection.request(method, path, body, {name: value for name, value in named.items() if value is not None})
        return connection.getresponse()

    def call(self, method, path, body=None, **headers):
        answer = self.open(method, path, None if body is None else json.dumps(body), **headers)
        text = answer.read()
        return answer.status, answer.headers, text

    def must(self, method, path, body=None, **headers):
        status, _, text = self.call(method, path, body, **headers)
        assert status == 200, f"{method} {path}: {status} {text}"
        return json.loads(text)

    def shell(self, *words):
        """`koor`, called with these words, as somebody far away calls it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KOOR_")}
        return subprocess.Popen(
            [os.path.abspath(sys.argv[1]), *words], cwd=self.directory, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**clean, "KOOR_SERVER": f"https://localhost:{self.port}", "KOOR_TOKEN": TOKEN,
                 "SSL_CERT_FILE": str(self.directory / "ca.pem")})


def later(act):
    """Does that in a moment, when what shall notice it already waits."""
    timer = threading.Timer(0.5, act)
    timer.start()
    return timer


def rest(site):
    key = "/api/state/Truck-Wash/a%20key"
    put = site.must("PUT", key, {"step": 1})
    status, headers, text = site.call("GET", key)
    assert (status, text, headers["X-Koor-Version"]) == (200, b'{"step": 1}', str(put["version"])), (status, text)
    status, _, text = site.call("GET", key, **{"If-None-Match": headers["ETag"]})
    assert (status, text) == (304, b""), (status, text)
    status, _, text = site.call("PUT", key, {"step": 2}, **{"If-Match": '"another"'})
    assert status == 412, (status, text)
    status, _, text = site.call("GET", "/api/state", Authorization="Bearer wrong")
    assert (status, json.loads(text)["code"]) == (401, 401), (status, text)
    # Larger than nginx lets through by itself, and as large as Koor lets be.
    large = b"x" * (9 << 20)
    answer = site.open("PUT", "/api/state/large", large, **{"Content-Type": "text/plain"})
    assert answer.status == 200, answer.read()
    assert site.open("GET", "/api/state/large").read() == large
    answer = site.open("PUT", "/api/state/large", b"x" * (11 << 20), **{"Content-Type": "text/plain"})
    assert (answer.status, json.loads(answer.read())["code"]) == (413, 413)


def mcp(site):
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_endpoints", "arguments": {}}}
    answer = site.must("POST", "/mcp", call)
    text = answer["result"]["content"][0]["text"]
    assert f"https://{NAME}:{site.port}" in text, text
    tools = site.must("POST", "/mcp", {"jsonrpc": "2.0", "id": 2, "method": "tools/list"})["result"]["tools"]
    assert len(tools) == 5, tools


def publish(site, n):
    return site.must("POST", "/api/events/publish", {"topic": "proxied.thing", "data": n})


def websocket(site):
    events = [publish(site, n) for n in range(3)]
    url = f"wss://{NAME}:{site.port}/api/events/subscribe?pattern=proxied.*&since={events[0]['id'] - 1}"
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": f"https://{NAME}:{site.port}"}
    with connect(url, sock=socket.create_connection(("127.0.0.1", site.port)), ssl=site.tls, server_hostname=NAME,
                 additional_headers=headers) as follower:
        assert [json.loads(follower.recv(PATIENCE)) for _ in events] == events
        for n in range(20):
            event = publish(site, n)
            assert json.loads(follower.recv(PATIENCE)) == event


def dashboard(site):
    """The page, what it loads, the documentation; and the API under the same name, as the page calls it."""
    for path, kind, word in (("/", "text/html", b"<!doctype html"), ("/docs", "text/html", b"Koor"),
                             ("/docs/deployment", "text/html", b"nginx"), ("/state/Truck-Wash", "text/html", b"<!doctype html"),
                             ("/js/main.js", "text/javascript", b"import")):
        # No token: that is what the page asks for.
        status, headers, text = site.call("GET", path, Authorization="")
        assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8"), (path, status, headers, text[:200])
        assert word.lower() in text.lower(), (path, text[:200])
    for path in ("/api/nothing", "/nothing"):
        status, headers, text = site.call("GET", path)
        assert (status, headers["Content-Type"]) == (404, "application/json"), (path, status, headers, text)
    assert b"koor_store_writable 1" in site.call("GET", "/metrics")[2]


def stream(site):
    before = publish(site, 0)
    answer = site.open("GET", f"/api/events/stream?pattern=proxied.*&since={before['id']}")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/event-stream"), answer.headers
    for n in range(20):
        event = publish(site, n)
        while True:
            line = answer.readline()
            assert line, "the stream ended"
            if line.startswith(b"data:"):
                break
        # It is here although nothing follows it: nobody gathers.
        assert json.loads(line.removeprefix(b"data:")) == event
    answer.close()


def waits(site):
    cursor = publish(site, 0)["id"]
    timer = later(lambda: publish(site, "now"))
    begun = time.monotonic()
    found = site.must("GET", f"/api/events/wait?since={cursor}&pattern=proxied.*&timeout=5s")
    timer.join()
    assert [event["data"] for event in found["events"]] == ["now"] and time.monotonic() - begun < 4, found
    site.must("PUT", "/api/state/watched", 1)
    timer = later(lambda: site.must("PUT", "/api/state/watched", 2))
    status, _, text = site.call("GET", "/api/state/watched?wait=5s&version=1")
    timer.join()
    assert (status, text) == (200, b"2"), (status, text)


def saved(site):
    backup = site.open("GET", "/api/backup")
    assert backup.status == 200
    document = json.loads(backup.read())
    restored = site.must("POST", "/api/backup/restore", document)
    assert restored, restored


def shell(site):
    """The command line over TLS, which believes the CA that the system is told of."""
    def done(process, code=0):
        out, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, (process.args, process.returncode, out, said)
        return out
    put = json.loads(done(site.shell("state", "set", "by/shell", "--data", '{"step": 1}')))
    assert put["key"] == "by/shell", put
    assert done(site.shell("state", "get", "by/shell")).strip() == '{"step": 1}'
    cursor = publish(site, 0)["id"]
    waiting = site.shell("events", "wait", "proxied.*", "--since", str(cursor), "--timeout", "8s")
    following = site.shell("events", "subscribe", "proxied.*", "--since", str(cursor))
    try:
        time.sleep(0.5)
        event = publish(site, "for the shell")
        assert json.loads(done(waiting))["events"] == [event]
        assert json.loads(following.stdout.readline()) == event
    finally:
        following.terminate()
        following.wait(timeout=PATIENCE)


def long_wait(site):
    """A wait for what never comes, which no proxy may cut short."""
    begun = time.monotonic()
    answer = site.open("GET", f"/api/events/wait?pattern=never.*&timeout={LONG}s", patience=LONG + PATIENCE)
    found = json.loads(answer.read())
    assert (answer.status, found["events"]) == (200, []), (answer.status, found)
    assert time.monotonic() - begun >= LONG, "it came back early"


# In the query, in every spelling that a server takes for it.
QUERIES = [f"access_token={TOKEN}", f"%61ccess_token={TOKEN}", f"pattern=a&access_token={TOKEN}&access_token={TOKEN}"]


def streamed(site, status):
    """Asks with the token in the query alone, and leaves: it is let in, or meets a proxy with nothing behind it."""
    for query in QUERIES:
        answer = site.open("GET", f"/api/events/stream?{query}", Authorization=None)
        assert answer.status == status, (query, answer.status)
        answer.close()


def unlogged(directory):
    """What the proxy wrote has the requests, and not the token in their queries."""
    logs = {path.name: path.read_text() for path in directory.iterdir() if path.name == "log" or "access-" in path.name}
    lines = [line for log in logs.values() for line in log.splitlines()]
    assert sum("/api/events/stream" in line for line in lines) >= 2 * len(QUERIES), logs
    assert any("502" in line for line in lines), logs
    told = [line for line in lines if TOKEN in line]
    assert not told, told


def behind(make):
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="koor-proxy-") as place:
        directory = pathlib.Path(place)
        authority(directory)
        (directory / "token").write_text(TOKEN)
        flags = ["--allow-host", NAME, "--auth-token-file", str(directory / "token")]
        with Koor(sys.argv[1], *flags, bind="127.0.0.1:0", dashboard="127.0.0.1:0") as koor:
            command, variables = make(directory, koor, port)
            with open(directory / "log", "w+") as log:
                proxy = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         env={**os.environ, **variables})
                try:
                    site = Through(directory, port)
                    deadline = time.monotonic() + PATIENCE
                    while True:
                        assert proxy.poll() is None and time.monotonic() < deadline, "it does not start"
                        try:
                            site.must("GET", "/health")
                            break
                        except OSError:
                            time.sleep(0.1)
                    with ThreadPoolExecutor() as beside:
                        last = beside.submit(long_wait, site)
                        for part in (rest, mcp, dashboard, websocket, stream, waits, saved, shell):
                            part(site)
                            print(f"{command[0]}: {part.__name__}", flush=True)
                        last.result()
                        print(f"{command[0]}: a wait of {LONG} s", flush=True)
                    streamed(site, 200)
                    # Errors are logged, too.
                    koor.process.terminate()
                    koor.process.wait(timeout=PATIENCE)
                    streamed(site, 502)
                    # What is logged is written when the connection is let go.
                    time.sleep(1)
                    unlogged(directory)
                    print(f"{command[0]}: no token in its logs", flush=True)
                except BaseException:
                    log.seek(0)
                    print(log.read()[-4000:], file=sys.stderr)
                    raise
                finally:
                    proxy.terminate()
                    proxy.wait(timeout=PATIENCE)


def main():
    begun = time.monotonic()
    with ThreadPoolExecutor() as both:
        for proxied in [both.submit(behind, make) for make in (nginx, caddy)]:
            proxied.result()
    print(f"proxies: all well, after {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
