// Takes a picture of every page, filled by the demo: light, dark, and on a phone. Usage: node screenshots.mjs <directory>

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { everyView } from "./demo.mjs";
import { Server, closeBrowser, settled, visit } from "./harness.mjs";

const directory = process.argv[2];
// Let the agents work for a while, so that not everything happened in the same second.
const WORK = 15_000;
const LOOKS = [
  ["light", { colorScheme: "light", viewport: { width: 1360, height: 850 }, deviceScaleFactor: 1.25 }],
  ["dark", { colorScheme: "dark", viewport: { width: 1360, height: 850 }, deviceScaleFactor: 1.25 }],
  ["phone", { colorScheme: "light", viewport: { width: 390, height: 780 }, deviceScaleFactor: 1.5 }],
];

// Views that the checks for accessibility look at, and that are in no document.
const NOT_PICTURED = ["event", "task-failed"];

mkdirSync(directory, { recursive: true });
const server = await Server.start();
const agents = spawn("python3", [fileURLToPath(new URL("../../scripts/demo", import.meta.url)), server.api, "--live"], {
  stdio: "ignore",
});
try {
  await new Promise((resolve) => setTimeout(resolve, WORK));
  const views = (await everyView(server)).filter(([name]) => !NOT_PICTURED.includes(name));
  for (const [look, options] of LOOKS) {
    const page = await visit(server, "/", { ...options, reducedMotion: "reduce" });
    const devtools = await page.context().newCDPSession(page);
    for (const [name, path] of views) {
      await page.goto(server.dashboard + path);
      await settled(page);
      await page.waitForTimeout(400);
      const { data } = await devtools.send("Page.captureScreenshot", { format: "webp", quality: 82 });
      writeFileSync(join(directory, `${name}-${look}.webp`), Buffer.from(data, "base64"));
    }
    await page.context().close();
  }
} finally {
  agents.kill("SIGINT");
  await server.end();
  await closeBrowser();
}
