// A koor server of its own for each test, and a browser that is watched: whatever it complains about fails the test.

import { spawn } from "node:child_process";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const BINARY = process.env.KOOR_BINARY ?? new URL("../../target/debug/koor", import.meta.url).pathname;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--js-flags=--expose-gc",
  "--enable-precise-memory-info",
];

/** Every page, with what its heading says. */
export const PAGES = [
  ["/", "Overview"],
  ["/events", "Events"],
  ["/agents", "Agents"],
  ["/tasks", "Tasks"],
  ["/leases", "Leases"],
  ["/messages", "Messages"],
  ["/state", "State"],
  ["/specs", "Specs & contracts"],
  ["/templates", "Templates"],
  ["/rules", "Rules"],
  ["/compliance", "Compliance"],
  ["/audit", "Audit"],
  ["/costs", "Costs"],
  ["/webhooks", "Webhooks"],
];

/** A server in an empty directory. */
export class Server {
  static async start({
    token = "",
    flags = [],
    directory = mkdtempSync(join(tmpdir(), "koor-browser-")),
    ports = [0, 0],
  } = {}) {
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KOOR_|LISTEN_)/.test(name)));
    const process_ = spawn(
      BINARY,
      [
        "serve",
        "--bind",
        `localhost:${ports[0]}`,
        "--dashboard-bind",
        `localhost:${ports[1]}`,
        "--log-format",
        "json",
        ...(token ? ["--auth-token", token] : []),
        ...flags,
      ],
      { cwd: directory, env: clean, stdio: ["ignore", "ignore", "pipe"] },
    );
    const server = new Server();
    Object.assign(server, { process: process_, token, flags, directory, log: [] });
    const lines = createInterface({ input: process_.stderr });
    await new Promise((resolve, reject) => {
      process_.once("error", reject);
      process_.once("exit", () => reject(new Error(`koor did not start:\n${server.log.join("\n")}`)));
      lines.on("line", (line) => {
        server.log.push(line);
        const fields = line.startsWith("{") ? JSON.parse(line) : {};
        if (fields.message !== "listening") return;
        server.api = fields.api;
        server.dashboard = fields.dashboard;
        resolve();
      });
    });
    return server;
  }

  /** Makes a call and gives back its JSON; what is refused throws. `by` is an instance's id. */
  async call(method, path, body, { by, type = "application/json" } = {}) {
    const headers = { "Content-Type": type };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (by) headers["X-Koor-Instance"] = by;
    const raw = typeof body === "string" || body instanceof Uint8Array;
    const answer = await fetch(this.api + path, {
      method,
      headers,
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  async agent(name, more = {}) {
    const agent = await this.call("POST", "/api/instances/register", { name, ...more });
    await this.call("POST", `/api/instances/${agent.id}/activate`);
    return agent;
  }

  /** Ends it and keeps its data. */
  async stop() {
    if (this.process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGTERM");
    await ended;
  }

  /** The same server again: the same data, the same ports. */
  async again() {
    const ports = [this.api, this.dashboard].map((url) => Number(new URL(url).port));
    return Server.start({ token: this.token, flags: this.flags, directory: this.directory, ports });
  }

  async end() {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

let browser = null;

/** The one browser of this test file. */
export async function theBrowser() {
  browser ??= await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = null;
}

/**
 * A page of a fresh profile at the dashboard. It notes every console error, exception and request to another host;
 * `blameless(page)` asserts that there were none. `forgive` is a pattern of messages that the test provokes.
 */
export async function visit(server, path = "/", { forgive = null, ...options } = {}) {
  const context = await (await theBrowser()).newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.faults = [];
  page.forgive = forgive;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.faults.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => page.faults.push(error.stack));
  page.on("dialog", (dialog) => {
    page.faults.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (!["blob:", "data:"].includes(protocol) && host !== new URL(server.dashboard).host)
      page.faults.push(`a request to ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    if (new URL(socket.url()).host !== new URL(server.dashboard).host)
      page.faults.push(`a WebSocket to ${socket.url()}`);
  });
  page.setDefaultTimeout(10_000);
  await page.goto(server.dashboard + path);
  return page;
}

export function blameless(page) {
  const faults = page.faults.filter((fault) => !page.forgive?.test(fault));
  assert.deepEqual(faults, []);
}

/** Waits until the page is drawn and its connection is open. */
export async function settled(page) {
  await page.locator(".page-head, .problem").first().waitFor();
  await page.locator(".sidebar .dot.live").waitFor({ state: "attached" });
}

/** Runs the body with a server and a page, and looks at the faults at the end. */
export async function scene(options, body) {
  const server = await Server.start(options.server);
  try {
    await options.before?.(server);
    const page = await visit(server, options.path, options);
    if (!options.server?.token) await settled(page);
    await body({ server, page });
    blameless(page);
    await page.context().close();
  } finally {
    await server.end();
  }
}
