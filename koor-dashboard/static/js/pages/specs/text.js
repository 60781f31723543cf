// A spec's bytes and text: read, laid out for reading, and never changed by that.

import { call } from "../../api.js";
import { decode } from "../../components/json-view.js";

// Beyond this a document is only shown as text: parsing it would hold up the page.
const PARSED = 2_000_000;

/**
 * Reads a version of a spec (the newest one unless told): { buffer, text, value, version, hash }.
 *
 * @param {string} path
 * @param {{ version?: number, signal?: AbortSignal }} [options]
 */
export async function readSpec(path, { version, signal } = {}) {
  const answer = await call("GET", path, { query: { version }, signal });
  const buffer = await answer.arrayBuffer();
  const text = decode(buffer) ?? "";
  return {
    buffer,
    text,
    value: text.length <= PARSED ? parse(text) : undefined,
    version: Number(answer.headers.get("X-Koor-Version")),
    hash: answer.headers.get("ETag"),
  };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The text, indented where that loses nothing (numbers beyond a double's precision, repeated names). */
export function laidOut(text) {
  if (text.length > PARSED || /\n\s/.test(text)) return text;
  const value = parse(text);
  return value !== undefined && JSON.stringify(value) === text.trim() ? JSON.stringify(value, null, 2) : text;
}

export function isContract(value) {
  return value?.kind === "contract" && typeof value.endpoints === "object" && value.endpoints !== null;
}

/** "Truck-Wash/truck-api", as a path. */
export function pathOfSpec(project, name) {
  return `${encodeURIComponent(project)}/${encodeURIComponent(name)}`;
}
