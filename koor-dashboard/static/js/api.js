// The one door to the server. Every answer that is no success becomes an ApiError that carries what the server said.

const TOKEN = "koor-token";

/** What the server refused, or that it could not be reached (status 0). */
export class ApiError extends Error {
  constructor(status, body, message) {
    super(body?.error || message || `the server answered ${status}`);
    this.name = "ApiError";
    this.status = status;
    /** The JSON of the answer, where it was JSON. */
    this.body = body ?? {};
  }
}

let onRefused = () => {};
let offset = 0;

/** Calls `listener` whenever the server asks for a token. */
export function whenRefused(listener) {
  onRefused = listener;
}

/** The token of this tab, or "". It is gone with the tab. */
export function token() {
  return sessionStorage.getItem(TOKEN) ?? "";
}

export function setToken(value) {
  if (value) sessionStorage.setItem(TOKEN, value);
  else sessionStorage.removeItem(TOKEN);
}

/** The server's time, in milliseconds: ages are told by its clock, not by this machine's. */
export function serverNow() {
  return Date.now() + offset;
}

/** "a/b c" as a path: every segment is encoded, slashes stay. */
export function pathOf(name) {
  return name.split("/").map(encodeURIComponent).join("/");
}

/** An address with those parameters that have a value. Lists repeat the parameter. */
export function withQuery(path, query = {}) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== null && item !== "") params.append(name, item);
    }
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

/**
 * What a call may be given beside its path.
 *
 * @typedef {object} CallOptions
 * @property {any} [json] sent as JSON
 * @property {BodyInit} [body] sent as it is
 * @property {Record<string, string>} [headers]
 * @property {Record<string, any>} [query]
 * @property {AbortSignal} [signal]
 */

/**
 * Makes a call and gives back the Response, whose body is unread. `json` is sent as JSON, `body` as it is.
 * Throws an ApiError for every status from 400 on.
 *
 * @param {string} method
 * @param {string} path
 * @param {CallOptions} [options]
 */
export async function call(method, path, { json, body, headers = {}, query, signal } = {}) {
  /** @type {RequestInit & { headers: Record<string, string> }} */
  const sent = { method, headers: { ...headers }, signal, cache: "no-store" };
  if (token()) sent.headers.Authorization = `Bearer ${token()}`;
  if (json !== undefined) {
    sent.body = JSON.stringify(json);
    sent.headers["Content-Type"] = "application/json";
  } else if (body !== undefined) sent.body = body;
  const begun = Date.now();
  let answer;
  try {
    answer = await fetch(withQuery(path, query), sent);
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(0, null, "The server can’t be reached.");
  }
  learnTime(answer.headers.get("Date"), begun);
  if (answer.ok || answer.status === 304) return answer;
  const said = await answer.json().catch(() => null);
  if (answer.status === 401) onRefused();
  throw new ApiError(answer.status, said);
}

// The header has whole seconds: a difference below two of them is no difference.
function learnTime(date, begun) {
  const server = Date.parse(date ?? "");
  if (Number.isNaN(server)) return;
  const now = Date.now();
  const difference = server + 500 - (begun + now) / 2;
  offset = Math.abs(difference) < 2000 ? 0 : difference;
}

/**
 * The JSON of an answer.
 *
 * @param {string} path
 * @param {CallOptions} [options]
 */
export async function get(path, options) {
  return (await call("GET", path, options)).json();
}
/**
 * @param {string} path
 * @param {any} [json]
 * @param {CallOptions} [options]
 */
export async function post(path, json = {}, options) {
  return (await call("POST", path, { ...options, json })).json();
}
/**
 * @param {string} path
 * @param {any} json
 * @param {CallOptions} [options]
 */
export async function put(path, json, options) {
  return (await call("PUT", path, { ...options, json })).json();
}
/**
 * @param {string} path
 * @param {any} json
 * @param {CallOptions} [options]
 */
export async function patch(path, json, options) {
  return (await call("PATCH", path, { ...options, json })).json();
}
/**
 * @param {string} path
 * @param {CallOptions} [options]
 */
export async function del(path, options) {
  return (await call("DELETE", path, options)).json();
}
