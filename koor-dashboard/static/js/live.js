// The event log, as it grows: one WebSocket for the whole dashboard, which resumes after the last event it saw.

import { ApiError, get, token } from "./api.js";
import { matcher } from "./glob.js";

// Often enough to feel live, seldom enough that 200 events a second are ten paintings.
const PAINT_EVERY = 100;
// A hidden tab's timers are slow: what piles up is bounded, and handed on at once when there is this much.
const MOST_WAITING = 2000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;

const listeners = new Set();
const watchers = new Set();
const gapListeners = new Set();

let socket = null;
let cursor = 0;
let waiting = [];
let painting = 0;
let pause = FIRST_PAUSE;
let retryTimer = 0;
let running = false;
let state = { phase: "connecting" };

/**
 * Calls `handler(events)` with what matches any of the patterns, in the order of ids, at most ten times a second.
 * Each has its `size`, the length of its JSON, beside what the server says.
 * Gives back a function that ends it.
 */
export function onEvents(patterns, handler) {
  const listener = { matches: matcher(patterns), handler };
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Calls `handler()` when events were lost for good (pruned unseen, or another log): read everything anew. */
export function onGap(handler) {
  gapListeners.add(handler);
  return () => gapListeners.delete(handler);
}

/** Calls `handler({ phase, at })` now and on each change: "connecting", "open", or "waiting" until the time `at`. */
export function onState(handler) {
  watchers.add(handler);
  handler(state);
  return () => watchers.delete(handler);
}

/** Follows the log from that event on. */
export function start(since) {
  cursor = since;
  running = true;
  connect();
}

export function stop() {
  running = false;
  clearTimeout(retryTimer);
  socket?.close();
  socket = null;
}

/** Tries again now, not when the pause is over. */
export function retryNow() {
  if (running && !socket) retry();
}

function tell(next) {
  state = next;
  for (const watcher of [...watchers]) watcher(state);
}

function connect() {
  const address = new URL("/api/events/subscribe", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.search = new URLSearchParams([
    ["pattern", "*"],
    ["pattern", "$*"],
    ["since", String(cursor)],
  ]).toString();
  // A browser's WebSocket can't set headers.
  if (token()) address.searchParams.set("access_token", token());
  const mine = new WebSocket(address);
  socket = mine;
  mine.onopen = () => {
    pause = FIRST_PAUSE;
    tell({ phase: "open" });
  };
  mine.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    frame.size = data.length;
    receive(frame);
  };
  mine.onclose = () => {
    if (socket !== mine) return;
    socket = null;
    if (running) wait();
  };
}

function wait() {
  // Jittered: many dashboards should not come back in the same moment.
  const delay = pause * (0.75 + Math.random() / 2);
  pause = Math.min(pause * 2, LONGEST_PAUSE);
  tell({ phase: "waiting", at: Date.now() + delay });
  clearTimeout(retryTimer);
  retryTimer = setTimeout(retry, delay);
}

// A WebSocket does not say why it failed, so an ordinary call asks first: is the server there, is the token still good, is it
// still the same log?
async function retry() {
  clearTimeout(retryTimer);
  tell({ phase: "connecting" });
  try {
    const { last_event_id: last } = await get("/api/metrics");
    if (!running || socket) return;
    if (last < cursor) {
      cursor = last;
      for (const handler of [...gapListeners]) handler();
    }
    connect();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) stop();
    else if (running) wait();
  }
}

function receive(frame) {
  if (frame.id === undefined && frame.type === "gap") {
    cursor = Math.max(cursor, frame.resume_from - 1);
    for (const handler of [...gapListeners]) handler(frame);
    return;
  }
  if (frame.id <= cursor) return;
  cursor = frame.id;
  waiting.push(frame);
  if (waiting.length >= MOST_WAITING) paint();
  else painting ||= setTimeout(paint, PAINT_EVERY);
}

function paint() {
  clearTimeout(painting);
  painting = 0;
  const events = waiting;
  waiting = [];
  for (const { matches, handler } of [...listeners]) {
    const mine = events.filter(({ topic }) => matches(topic));
    if (mine.length) handler(mine);
  }
}

addEventListener("online", retryNow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) retryNow();
});
