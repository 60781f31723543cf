// A payload held against a contract, and a live service called by it.

import { post } from "../../api.js";
import { h, replace } from "../../dom.js";
import { plural } from "../../format.js";
import { debounce } from "../../timing.js";
import { button, select } from "../../components/basics.js";
import { form } from "../../components/form.js";
import { example } from "./endpoints.js";

const DIRECTIONS = [
  ["request", "Request"],
  ["response", "Response"],
  ["query", "Query"],
  ["error", "Error"],
];
const PAUSE = 350;

/** Both, for the contract at `/api/contracts/{path}`. */
export function payloadView(path, contract) {
  const names = Object.keys(contract.endpoints);
  if (!names.length) return h("p.faint.padded", "The contract has no endpoints yet.");
  let endpoint = names[0];
  let direction = first(contract.endpoints[endpoint]);
  const said = h("div", { "aria-live": "polite" });
  const area = h("textarea.input.mono", {
    rows: 12,
    "aria-label": "Payload, as JSON",
    spellcheck: "false",
    dir: "auto",
    oninput: debounce(() => area.isConnected && check(), PAUSE),
  });
  const directions = select("Direction", DIRECTIONS, direction, (value) => {
    direction = value;
    fill();
  });
  const endpoints = select(
    "Endpoint",
    names.map((name) => [name, name]),
    endpoint,
    (value) => {
      endpoint = value;
      direction = first(contract.endpoints[endpoint]);
      directions.value = direction;
      fill();
    },
  );
  let turn = 0;

  function fill() {
    const of = contract.endpoints[endpoint];
    const made =
      direction === "response" && of?.response_array && !of.response
        ? [example(of.response_array)]
        : example(of?.[direction]);
    area.value = JSON.stringify(made, null, 2);
    check();
  }

  async function check() {
    const mine = (turn += 1);
    let payload;
    try {
      payload = JSON.parse(area.value);
    } catch (error) {
      replace(said, h(".problem", area.value.trim() ? `This is not JSON yet: ${error.message}` : "Enter a payload."));
      return;
    }
    try {
      const { valid, violations } = await post(`/api/contracts/${path}/validate`, { endpoint, direction, payload });
      if (turn === mine) replace(said, valid ? h(".notice.good", "The payload is valid.") : violationList(violations));
    } catch (error) {
      if (turn === mine) replace(said, h(".problem", error.message));
      if (error.name !== "ApiError") throw error;
    }
  }

  fill();
  return h(
    ".stack.padded",
    h(".toolbar", endpoints, directions, button("An example", fill, { icon: "refresh", tone: "quiet" })),
    h(".payload", area, said),
    live(path, () => endpoint, area),
  );
}

function live(path, endpoint, area) {
  const said = h("div", { "aria-live": "polite" });
  const asked = form({
    row: true,
    submit: "Call it",
    tone: "",
    fields: [
      {
        name: "base_url",
        label: "Live service",
        type: "url",
        required: true,
        placeholder: "http://localhost:3000",
        wide: true,
        hint: "The server calls this endpoint with the payload above and checks the answer against the contract.",
      },
    ],
    onsubmit: async ({ base_url }) => {
      let test_data;
      try {
        test_data = JSON.parse(area.value);
      } catch {
        test_data = undefined;
      }
      replace(said);
      const { valid, status_code, request_violations, response_violations, error } = await post(
        `/api/contracts/${path}/test`,
        { endpoint: endpoint(), base_url, test_data },
      );
      const found = [...(request_violations ?? []), ...(response_violations ?? [])];
      replace(
        said,
        valid
          ? h(".notice.good", `It answered ${status_code} and keeps the contract.`)
          : h(
              ".stack.tight",
              error && h(".problem", error),
              status_code > 0 && h("p.soft", `It answered ${status_code}.`),
              found.length > 0 && violationList(found),
            ),
      );
    },
  });
  return h(".stack.tight.live-call", h("h3", "Call a live service"), asked, said);
}

function first(endpoint) {
  return (
    DIRECTIONS.map(([name]) => name).find(
      (name) => endpoint?.[name] ?? endpoint?.[`${name}_schema`] ?? (name === "response" && endpoint?.response_array),
    ) ?? "request"
  );
}

/** What breaks a contract, as a list. */
export function violationList(violations) {
  const shown = violations.slice(0, 200);
  return h(
    ".violations",
    h(".problem", plural(violations.length, "violation")),
    h(
      "ul",
      shown.map(({ path, message }) => h("li", path && h("code.data", path), h("span.data", message))),
    ),
    violations.length > shown.length &&
      h("p.faint", `… and ${plural(violations.length - shown.length, "more", "more")}`),
  );
}
