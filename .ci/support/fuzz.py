"""Runs schemathesis against a server without a token, and against one with a token."""

import os
import subprocess
import sys

from server import Koor

HERE = os.path.dirname(os.path.abspath(__file__))
TOKEN = "the-token-of-the-suite"
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
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": HERE}
        return subprocess.run(command + sys.argv[2:], cwd=koor.directory.name, env=environment).returncode


def main():
    bad = []
    for name, token in RUNS.items():
        print(f"\n-- {name}", flush=True)
        if run(sys.argv[1], token) != 0:
            bad.append(name)
    sys.exit("schemathesis: faults " + " and ".join(bad) if bad else "")


main()
