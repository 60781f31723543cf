"""A koor server in a process of its own, on a free port, in an empty directory that is gone afterwards."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request


class Koor:
    def __init__(self, program, *flags, bind="localhost:0", dashboard="", directory=None):
        self.directory = directory or tempfile.TemporaryDirectory(prefix="koor-")
        self.keeps_directory = directory is not None
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("KOOR_", "LISTEN_"))}
        self.log = []
        self.process = subprocess.Popen(
            [os.path.abspath(program), "serve", "--bind", bind, "--dashboard-bind", dashboard,
             "--log-format", "json", *flags],
            cwd=self.directory.name, env=clean, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )
        self.url = self.dashboard = None
        for line in self.process.stderr:
            self.log.append(line)
            fields = json.loads(line) if line.startswith("{") else {}
            if fields.get("message") == "listening":
                self.url, self.dashboard = fields["api"], fields.get("dashboard")
                break
        if self.url is None:
            sys.exit("koor did not start:\n" + "".join(self.log))
        # Somebody must read on, or the server stands still when the pipe is full.
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def call(self, method, path, body=None, token=None):
        """The status and the body, as JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, json.load(answer)

    def must(self, method, path, body=None, token=None):
        """The body of an answer that must be a good one."""
        status, answer = self.call(method, path, body, token)
        assert status == 200, f"{method} {path}: {status} {answer}"
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *failed):
        self.process.terminate()
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.reader.join(timeout=5)
        if not self.keeps_directory:
            self.directory.cleanup()
        panics = [line for line in self.log if "panic" in line]
        assert not panics, "the server panicked:\n" + "".join(panics)
        # What went wrong already says more than how the server ended.
        assert code == 0 or any(failed), f"the server ended with {code}:\n" + "".join(self.log[-20:])
