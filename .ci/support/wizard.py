"""The MCP files that the wizard makes, as clients read them: each is loaded, and each leads to the five tools.

The Inspector reads a file of the common format itself. For the formats that only an editor knows, a reader that takes no
more and no less than the editor's documentation says gives what it finds to the Python SDK.
"""

import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from server import Koor

NAMES = ["discover_instances", "get_endpoints", "propose_rule", "register_instance", "set_intent"]
TOKEN = "s3cret"

# Where an editor looks, under which key it expects servers, and what it calls the transport.
FILES = {
    ".mcp.json": ("mcpServers", "http"),
    ".cursor/mcp.json": ("mcpServers", "http"),
    ".vscode/mcp.json": ("servers", "http"),
    ".kilocode/mcp.json": ("mcpServers", "streamable-http"),
    ".kilo/kilo.json": ("mcp", "remote"),
}


async def by_sdk(path, key, transport):
    content = json.loads(path.read_text())
    assert list(content) == [key], content
    ((name, entry),) = content[key].items()
    assert name == "koor" and entry["type"] == transport, entry
    assert set(entry) <= {"type", "url", "headers"} | ({"enabled"} if transport == "remote" else set()), entry
    async with create_mcp_http_client(headers=entry.get("headers")) as http:
        async with Client(streamable_http_client(entry["url"], http_client=http)) as client:
            tools = await client.list_tools()
    assert sorted(tool.name for tool in tools.tools) == NAMES, tools


def by_inspector(path):
    with tempfile.TemporaryDirectory(prefix="inspector-") as home:
        listing = subprocess.run(
            ["mcp-inspector", "--cli", "--config", str(path), "--server", "koor", "--method", "tools/list"],
            env={**os.environ, "HOME": home, "MCP_INSPECTOR_SECRET_STORE": "memory"},
            stdout=subprocess.PIPE, text=True, timeout=120, check=True,
        )
    assert sorted(tool["name"] for tool in json.loads(listing.stdout)["tools"]) == NAMES, listing.stdout


async def project(program, server, flags):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KOOR_")}
    with tempfile.TemporaryDirectory(prefix="wizard-") as directory:
        subprocess.run(
            [os.path.abspath(program), "init", "--project", "Truck-Wash", "--agent", "frontend:goth", "--yes",
             "--server", server, *flags],
            cwd=directory, env={**clean, "XDG_CONFIG_HOME": os.path.join(directory, ".config")}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )
        for workspace in ["truck-wash-controller", "truck-wash-frontend"]:
            for file, (key, transport) in FILES.items():
                await by_sdk(pathlib.Path(directory, workspace, file), key, transport)
        for file in [file for file, (key, _) in FILES.items() if key == "mcpServers"]:
            by_inspector(pathlib.Path(directory, "truck-wash-frontend", file))


async def main(program):
    with Koor(program) as koor:
        await project(program, koor.url, [])
        print(f"without a token: {len(FILES)} files lead to the five tools")
    with Koor(program, "--auth-token", TOKEN) as koor:
        await project(program, koor.url, ["--token", TOKEN])
        print(f"with a token: {len(FILES)} files lead to the five tools")
    print("wizard: all as it should be")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
