"""The MCP endpoint, as the official conformance suite and the official clients see it.

`conformance-<version>.txt` says of every check of the suite how it must end: one that ends otherwise fails the run, be it
that it broke, that it mended, that it is new or that it is gone.
"""

import asyncio
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from mcp import Client, MCPError, StdioServerParameters

from server import Koor

HERE = pathlib.Path(__file__).parent
VERSIONS = ["2025-11-25", "2026-07-28"]
NAMES = ["discover_instances", "get_endpoints", "propose_rule", "register_instance", "set_intent"]


def listed(version):
    """How the checks must end, by scenario and check."""
    lines = (HERE / f"conformance-{version}.txt").read_text().splitlines()
    return collections.Counter(tuple(line.split()) for line in lines if line and not line.startswith("#"))


def run_conformance(url, version):
    with tempfile.TemporaryDirectory(prefix="conformance-") as out:
        suite = subprocess.run(
            ["conformance", "server", "--url", f"{url}/mcp", "--requirements", version, "-o", out],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )
        found = collections.Counter()
        for path in pathlib.Path(out).glob("*/checks.json"):
            scenario = path.parent.name.removeprefix("server-")[:-len("-2026-11-23T22-30-53-676Z")]
            for check in json.loads(path.read_text()):
                if check["status"] != "INFO":
                    found[scenario, check["id"], check["status"]] += 1
    assert found, f"the conformance suite has checked nothing:\n{suite.stdout}"
    return found


def conformance(url, version):
    found, expected = run_conformance(url, version), listed(version)
    for check, count in sorted((found - expected).items()):
        print(f"  + {' '.join(check)} ({count})")
    for check, count in sorted((expected - found).items()):
        print(f"  - {' '.join(check)} ({count})")
    assert found == expected, f"conformance {version} is not as listed: + is what came, - what should have"
    passed = sum(count for (_, _, status), count in found.items() if status == "SUCCESS")
    print(f"conformance {version}: {found.total()} checks as listed, {passed} of them passed")


async def call(client, name, arguments):
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


async def tour(client, url, label):
    """Lists the five tools and calls each of them."""
    tools = await client.list_tools()
    assert sorted(tool.name for tool in tools.tools) == NAMES, tools
    me = await call(client, "register_instance", {"name": label, "workspace": "ci", "capabilities": "a, b"})
    intent = {"instance_id": me["instance_id"], "intent": "testing"}
    assert (await call(client, "set_intent", intent))["intent"] == "testing"
    found = await call(client, "discover_instances", {"name": label})
    assert [(one["id"], one["intent"]) for one in found["instances"]] == [(me["instance_id"], "testing")], found
    assert (await call(client, "get_endpoints", {}))["api_base"] == url
    rule = {"project": "ci", "rule_id": label, "pattern": "x", "message": "no x"}
    assert (await call(client, "propose_rule", rule))["status"] == "proposed"
    failed = await client.call_tool("set_intent", {"instance_id": "nobody", "intent": "x"})
    assert failed.is_error and "call register_instance first" in failed.content[0].text, failed
    try:
        await client.call_tool("nothing", {})
    except MCPError as error:
        assert "unknown tool" in str(error), error
    else:
        raise AssertionError("an unknown tool was called")


async def python_sdk(program, url):
    for mode, expected in [("auto", "2026-07-28"), ("legacy", "2025-11-25")]:
        async with Client(f"{url}/mcp", mode=mode) as client:
            assert client.protocol_version == expected, client.protocol_version
            await tour(client, url, f"python-{mode}")
        print(f"Python SDK, {mode}: five tools listed and called, protocol {expected}")


async def python_stdio(program, url):
    for mode, expected in [("auto", "2026-07-28"), ("legacy", "2025-11-25")]:
        koor = StdioServerParameters(command=program, args=["mcp", "stdio", "--server", url])
        async with Client(koor, mode=mode) as client:
            assert client.protocol_version == expected, client.protocol_version
            await tour(client, url, f"stdio-{mode}")
        print(f"Python SDK over koor mcp stdio, {mode}: five tools listed and called, protocol {expected}")


def inspector(url):
    with tempfile.TemporaryDirectory(prefix="inspector-") as home:
        listing = subprocess.run(
            ["mcp-inspector", "--cli", f"{url}/mcp", "--transport", "http", "--method", "tools/list", "--strict"],
            env={**os.environ, "HOME": home, "MCP_CATALOG_PATH": f"{home}/catalog.json"},
            stdout=subprocess.PIPE, text=True, timeout=120, check=True,
        )
    assert sorted(tool["name"] for tool in json.loads(listing.stdout)["tools"]) == NAMES, listing.stdout
    print("Inspector: lists the five tools")


async def restarts(program, node):
    """Clients that are connected go on when the server has been restarted under them."""
    with Koor(program) as before:
        url, directory = before.url, before.directory
        typescript = subprocess.Popen(["node", f"{node}/clients.mjs", f"{url}/mcp"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        for line in typescript.stdout:
            if line == "restart\n":
                break
            print(line, end="")
        auto, legacy = Client(f"{url}/mcp", mode="auto"), Client(f"{url}/mcp", mode="legacy")
        await auto.__aenter__()
        await legacy.__aenter__()
        for client in auto, legacy:
            await call(client, "register_instance", {"name": "python-restart"})
        before.keeps_directory = True
    try:
        with Koor(program, bind=url.removeprefix("http://"), directory=directory) as after:
            assert after.url == url, after.url
            for client in auto, legacy:
                assert (await call(client, "discover_instances", {"name": "python-restart"}))["count"] == 2
            print("Python SDK: the call after a restart of the server works")
            print(typescript.communicate("\n", timeout=60)[0], end="")
            assert typescript.returncode == 0, typescript.returncode
            await legacy.__aexit__(None, None, None)
            await auto.__aexit__(None, None, None)
    finally:
        typescript.kill()
        directory.cleanup()


async def main(program, node):
    with Koor(program) as koor:
        for version in VERSIONS:
            conformance(koor.url, version)
        await python_sdk(program, koor.url)
        await python_stdio(program, koor.url)
        inspector(koor.url)
    await restarts(program, node)
    print("MCP: all as it should be")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
