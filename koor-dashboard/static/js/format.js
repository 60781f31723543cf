// How numbers, sizes, sums and times are written. Always in the same way, wherever they stand.

import { serverNow } from "./api.js";

const whole = new Intl.NumberFormat("en");
// Made once: making one for each time is what would take long.
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 12,345 */
export function count(n) {
  return whole.format(n);
}

/** 12.3K */
export function compact(n) {
  return Math.abs(n) < 10_000 ? whole.format(n) : short.format(n);
}

/** "1 agent", "2 agents" */
export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** $1.23; small sums keep their first digits: $0.0042 */
export function money(n) {
  const digits = n !== 0 && Math.abs(n) < 0.995 ? (Math.abs(n) < 0.0995 ? 4 : 3) : 2;
  return `$${n.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

/** 1.2 MB */
export function bytes(n) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  while (n >= 1000 && at < units.length - 1) {
    n /= 1000;
    at += 1;
  }
  return `${at && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
}

export function percent(n) {
  return `${n >= 99.95 || n < 0.05 ? Math.round(n) : n.toFixed(1)} %`;
}

/** @type {[number, string, number][]} */
const STEPS = [
  [60, "s", 1],
  [3600, "min", 60],
  [86_400, "h", 3600],
  [86_400 * 60, "d", 86_400],
];

/** "now", "12 s", "5 min", "3 h", "2 d"; older: a date. By the server's clock. */
export function age(time) {
  const at = typeof time === "number" ? time : Date.parse(time);
  if (Number.isNaN(at)) return "";
  const seconds = (serverNow() - at) / 1000;
  if (seconds < 2) return "now";
  for (const [below, unit, size] of STEPS) if (seconds < below) return `${Math.floor(seconds / size)} ${unit}`;
  return day(at);
}

/** A span of time by its two largest units: "45 s", "12 min", "1 h 56 min", "3 d 4 h". */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  const [whole, unit, rest, below] =
    hours < 24 ? [hours, "h", minutes % 60, "min"] : [Math.floor(hours / 24), "d", hours % 24, "h"];
  return rest ? `${whole} ${unit} ${rest} ${below}` : `${whole} ${unit}`;
}

/** "12 min left", or "ended". By the server's clock. */
export function remaining(time) {
  const ms = Date.parse(time) - serverNow();
  return ms < 0 ? "ended" : `${span(ms)} left`;
}

/** 14:03:27, in the visitor's time zone */
export function clock(time) {
  return hours.format(new Date(time));
}

/** 16 Feb 2026 */
export function day(time) {
  return date.format(new Date(time));
}

/** 16 Feb 2026, 14:03:27 */
export function moment(time) {
  return `${day(time)}, ${clock(time)}`;
}

/** A long id as it is shown where its first characters are enough. */
export function shortId(id) {
  return id.length > 12 ? id.slice(0, 8) : id;
}

/**
 * The sign of a name: the first letters of its words or of its only one, and the number that it ends with, which tells
 * agent-2 from agent-10. A little one is that number, or a letter.
 */
export function initials(name, little = false) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  if (!words.length) return "?";
  const [, number = ""] = /(\d+)$/.exec(words.at(-1)) ?? [];
  const last = number.slice(-2);
  const letters = words.map((word) => [...word][0]).filter((letter) => !/\d/.test(letter));
  if (little) return last || letters[0] || "?";
  if (last) return `${letters[0] ?? ""}${last}`;
  return letters.length > 1 ? letters.slice(0, 2).join("") : [...words[0]].slice(0, 2).join("");
}

/** One of six colours, always the same one for the same name. */
export function hue(name) {
  let hash = 7;
  for (let at = 0; at < name.length; at += 1) hash = (hash * 31 + name.charCodeAt(at)) >>> 0;
  return (hash % 6) + 1;
}
