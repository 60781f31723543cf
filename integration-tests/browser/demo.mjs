// The project of scripts/demo, on a server of the harness.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Fills a server. */
export function demo(server) {
  const script = fileURLToPath(new URL("../../scripts/demo", import.meta.url));
  const { status, stderr } = spawnSync("python3", [script, server.api], {
    encoding: "utf8",
    env: { ...process.env, KOOR_TOKEN: server.token },
  });
  if (status !== 0) throw new Error(`the demo failed: ${stderr}`);
}

/** Every page, and every part of a page that has an address, as the demo fills them: [name, path]. */
export async function everyView(server) {
  const agents = await server.call("GET", "/api/instances");
  const backend = agents.find(({ name }) => name === "backend");
  return [
    ["overview", "/"],
    ["events", "/events"],
    ["event", "/events?id=40"],
    ["agents", "/agents"],
    ["agent", `/agents/${backend.id}`],
    ["board", "/tasks/Truck-Wash"],
    ["task", "/tasks/Truck-Wash/8"],
    ["task-failed", "/tasks/Truck-Wash/16"],
    ["leases", "/leases/Truck-Wash"],
    ["messages", "/messages/Truck-Wash/payments"],
    ["state", "/state/Truck-Wash/sample-truck"],
    ["history", "/state/Truck-Wash/frontend-task?tab=history"],
    ["specs", "/specs"],
    ["contract", "/specs/Truck-Wash/bookings"],
    ["rules", "/rules"],
    ["templates", "/templates"],
    ["compliance", "/compliance"],
    ["audit", "/audit"],
    ["costs", "/costs"],
    ["webhooks", "/webhooks"],
  ];
}
