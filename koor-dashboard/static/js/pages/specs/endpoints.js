// A contract as people read it: each endpoint with what goes in and what comes out.

import { h, replace } from "../../dom.js";
import { plural } from "../../format.js";
import { empty } from "../../components/basics.js";
import { brief, jsonTree } from "../../components/json-view.js";
import { more } from "../../components/table.js";

// Open at first, if there are no more than that.
const OPEN = 6;
const AT_ONCE = 100;
// Fields below fields below fields: a reader has given up by then, and so does the table.
const DEEPEST = 12;
const MOST_FIELDS = 500;

const PARTS = [
  ["query", "Query", "query_schema"],
  ["request", "Request", "request_schema"],
  ["response", "Response", "response_schema"],
  ["response_array", "Each item of the response", null],
  ["error", "Error", "error_schema"],
];

/** Every endpoint of a contract, to be opened and closed. */
export function endpointsView(contract) {
  const all = Object.entries(contract.endpoints);
  if (!all.length)
    return empty(
      "specs",
      "No endpoints",
      "A contract lists them under endpoints: “POST /api/trucks” and what is sent and answered there.",
    );
  const list = h(".endpoints");
  let shown = 0;
  const further = more("Show more", add);
  function add() {
    for (const [name, endpoint] of all.slice(shown, shown + AT_ONCE))
      list.append(draw(name, endpoint, all.length <= OPEN));
    shown += AT_ONCE;
    if (shown >= all.length) further.remove();
  }
  add();
  return h("div", list, shown < all.length && further);
}

/** "POST /api/trucks" with its method set apart. */
export function endpointName(name) {
  const [, method, path] = /^(\S+)\s+(.*)$/s.exec(name) ?? [null, "", name];
  return h(
    "span.row.endpoint-name",
    method &&
      h(
        "span.method",
        { class: /^(GET|HEAD)$/.test(method) ? "reads" : method === "DELETE" ? "deletes" : "writes" },
        method,
      ),
    h("code.data", path),
  );
}

function draw(name, endpoint, open) {
  const body = h(".endpoint-body");
  const given = PARTS.filter(([fields, , schema]) => endpoint?.[fields] ?? endpoint?.[schema]);
  const made = h(
    "details.endpoint",
    { open, ontoggle: () => made.open && !body.firstChild && fill() },
    h(
      "summary",
      endpointName(name),
      h(
        "span.push.faint.small",
        given
          .map(([, label]) => label.toLowerCase())
          .join(", ")
          .replace("each item of the response", "response"),
      ),
      endpoint?.response_status && h("span.badge", endpoint.response_status),
    ),
    body,
  );
  function fill() {
    replace(
      body,
      given.length
        ? given.map(([fields, label, schema]) => part(name, label, endpoint[fields], schema && endpoint[schema]))
        : h("p.faint", "Not specified."),
    );
  }
  if (open) fill();
  return made;
}

function part(endpoint, label, fields, schema) {
  const rows = [];
  if (fields) flatten(fields, 0, rows);
  else ofSchema(schema, 0, rows);
  return h(
    ".endpoint-part",
    h("h3", label, schema && !fields && h("span.faint.small", " JSON Schema")),
    rows.length > 0 && fieldTable(`${endpoint}: ${label.toLowerCase()}`, rows),
    schema &&
      !fields &&
      h(
        "details.schema",
        h("summary.small.soft", "The schema itself"),
        jsonTree(schema, `Schema of ${endpoint}: ${label.toLowerCase()}`),
      ),
    !rows.length && fields && h("p.faint.small", "No fields."),
  );
}

function fieldTable(label, rows) {
  return h(
    ".table-wrap",
    { tabindex: 0, role: "region", "aria-label": label },
    h(
      "table.table.fields-table",
      h(
        "thead",
        h(
          "tr",
          ["Field", "Type", "", "Values"].map((text) => h("th", { scope: "col" }, text || h("span.unseen", "Needed"))),
        ),
      ),
      h(
        "tbody",
        rows.map(({ name, depth, type, required, nullable, values, note }) =>
          h(
            "tr",
            h("th", { scope: "row" }, h("code.data", { class: `depth-${Math.min(depth, 6)}` }, name)),
            h("td.mono", type || h("span.faint", "anything"), nullable && h("span.faint", " or null")),
            h("td.fit", required ? h("span.badge.accent", "required") : h("span.faint.small", "optional")),
            h(
              "td",
              values?.map((value) => h("code.tag", brief(value, 60))),
              note && h("span.faint.small.data", note),
            ),
          ),
        ),
      ),
    ),
  );
}

function flatten(fields, depth, rows, prefix = "") {
  if (typeof fields !== "object" || fields === null) return;
  for (const [name, field] of Object.entries(fields)) {
    if (rows.length >= MOST_FIELDS || depth > DEEPEST) return;
    const items = field?.items;
    rows.push({
      name: prefix + name,
      depth,
      type: field?.type === "array" && items?.type ? `array of ${plural(2, items.type).slice(2)}` : field?.type,
      required: Boolean(field?.required),
      nullable: Boolean(field?.nullable),
      values: Array.isArray(field?.enum) ? field.enum : items?.enum,
    });
    if (field?.fields) flatten(field.fields, depth + 1, rows);
    if (items?.fields) flatten(items.fields, depth + 1, rows);
  }
}

function ofSchema(schema, depth, rows) {
  if (typeof schema?.properties !== "object" || schema.properties === null || depth > DEEPEST) return;
  const needed = new Set(Array.isArray(schema.required) ? schema.required : []);
  for (const [name, property] of Object.entries(schema.properties)) {
    if (rows.length >= MOST_FIELDS) return;
    const types = [property?.type].flat().filter(Boolean);
    rows.push({
      name,
      depth,
      type: types.filter((type) => type !== "null").join(" or ") || (property?.$ref ?? ""),
      required: needed.has(name),
      nullable: types.includes("null"),
      values: Array.isArray(property?.enum) ? property.enum : undefined,
      note:
        typeof property?.description === "string"
          ? property.description
          : [property?.format, property?.pattern].filter(Boolean).join(" "),
    });
    ofSchema(property, depth + 1, rows);
    if (property?.items) ofSchema(property.items, depth + 1, rows);
  }
}

/** A payload as the contract asks for it, to begin with. */
export function example(fields, depth = 0) {
  return Object.fromEntries(Object.entries(fields ?? {}).map(([name, field]) => [name, sample(field, depth)]));
}

function sample(field, depth) {
  if (Array.isArray(field?.enum) && field.enum.length) return field.enum[0];
  if (depth > DEEPEST) return null;
  if (field?.type === "object" || field?.fields) return example(field.fields, depth + 1);
  if (field?.type === "array") return field.items ? [sample(field.items, depth + 1)] : [];
  return { string: "text", number: 1, boolean: true }[field?.type] ?? null;
}
