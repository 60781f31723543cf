"""Runs schemathesis side by side against a server without a token, and against one with a token."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from server import Koor

HERE = os.path.dirname(os.path.abspath(__file__))
TOKEN = "the-token-of-the-suite"
# What payloads are held against: no document says how to make one.
CONTRACT = {"kind": "contract", "version": 1, "endpoints": {"POST /x": {"request": {"a": {"type": "string"}}}}}
RUNS = {"without a token": None, "with a token": TOKEN}


def run(program, token):
    flags = ["--log-level", "warn", *(["--auth-token", token] if token else [])]
    with Koor(program, *flags) as koor:
        command = [
            os.path.join(os.path.dirname(sys.executable), "schemathesis"),
            "--config-file", os.path.join(HERE, "schemathesis.toml"),
            "run", koor.url + "/api/openapi.json", "--url", koor.url,
        ]
        if token:
            command += ["--header", f"Authorization: Bearer {token}"]
        koor.must("PUT", "/api/contracts/fuzz/api", CONTRACT, token)
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": HERE}
        return subprocess.run(command, cwd=koor.directory.name, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)


def main():
    bad = []
    # Side by side: each is busy on one core.
    with ThreadPoolExecutor() as pool:
        runs = {name: pool.submit(run, sys.argv[1], token) for name, token in RUNS.items()}
    for name, done in runs.items():
        print(f"\n-- {name}\n{done.result().stdout}", flush=True)
        if done.result().returncode != 0:
            bad.append(name)
    if bad:
        sys.exit("schemathesis: faults " + " and ".join(bad))
    print("schemathesis: no faults " + " and ".join(RUNS))


main()
