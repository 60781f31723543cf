// The live log: its cursor, across events, gaps, broken connections and another log under the same address.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

/** A WebSocket that the test owns. */
class Socket {
  static all = [];
  constructor(address) {
    this.since = Number(new URL(address).searchParams.get("since"));
    Socket.all.push(this);
  }
  close() {}
  open() {
    this.onopen();
  }
  send(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }
  lose() {
    this.onclose();
  }
}

const server = { last: 0, status: 200 };
Object.assign(globalThis, {
  WebSocket: Socket,
  location: { href: "http://koor.test/", protocol: "http:" },
  sessionStorage: { getItem: () => null },
  document: { addEventListener: () => {}, hidden: false },
  addEventListener: () => {},
  fetch: async () => new Response(JSON.stringify({ last_event_id: server.last }), { status: server.status }),
});

const { onEvents, onGap, onState, retryNow, start, stop } = await import("../static/js/live.js");

let ends = [];
let seen = [];
let gaps = 0;
let phase = "";

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  Object.assign(server, { last: 0, status: 200 });
  Socket.all = [];
  seen = [];
  gaps = 0;
  ends = [
    onEvents(["*"], (events) => seen.push(...events.map(({ id }) => id))),
    onGap(() => {
      gaps += 1;
    }),
    onState((state) => {
      phase = state.phase;
    }),
  ];
});

afterEach(() => {
  stop();
  for (const end of ends) end();
  mock.timers.reset();
});

/** Lets an answer arrive that is there already. */
const settle = () => new Promise((resolve) => setImmediate(resolve));
const painted = () => mock.timers.tick(100);
const event = (id, topic = "a") => ({ id, topic });

test("events are handed on in order, and each once", () => {
  start(3);
  const [socket] = Socket.all;
  assert.equal(socket.since, 3);
  socket.open();
  for (const id of [3, 4, 5, 5, 4]) socket.send(event(id));
  socket.send(event(6, "$state.changed"));
  painted();
  assert.deepEqual(seen, [4, 5]);
  assert.equal(phase, "open");
});

test("a broken connection goes on after the last event that was seen", async () => {
  start(0);
  Socket.all[0].open();
  Socket.all[0].send(event(7));
  painted();
  server.last = 9;
  Socket.all[0].lose();
  assert.equal(phase, "waiting");
  retryNow();
  await settle();
  assert.equal(Socket.all.length, 2);
  assert.equal(Socket.all[1].since, 7);
  assert.equal(gaps, 0);
});

test("a gap is told, and what comes after it is not taken for old", () => {
  start(2);
  Socket.all[0].open();
  Socket.all[0].send({ type: "gap", resume_from: 50 });
  Socket.all[0].send(event(49));
  Socket.all[0].send(event(50));
  painted();
  assert.deepEqual(seen, [50]);
  assert.equal(gaps, 1);
});

test("another log under the same address is read anew", async () => {
  start(100);
  Socket.all[0].open();
  server.last = 4;
  Socket.all[0].lose();
  retryNow();
  await settle();
  assert.equal(gaps, 1);
  assert.equal(Socket.all[1].since, 4);
});

test("without an answer it waits longer each time, and a refused token ends it", async () => {
  start(0);
  server.status = 503;
  Socket.all[0].lose();
  mock.timers.tick(700);
  await settle();
  assert.equal(phase, "waiting");
  server.status = 401;
  mock.timers.tick(1500);
  await settle();
  mock.timers.tick(60_000);
  await settle();
  assert.equal(Socket.all.length, 1);
});

test("a hidden page does not pile up more than it can hand on", () => {
  start(0);
  Socket.all[0].open();
  for (let id = 1; id <= 2000; id += 1) Socket.all[0].send(event(id));
  assert.equal(seen.length, 2000, "handed on before the timer");
});
