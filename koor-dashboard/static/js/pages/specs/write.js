// A spec written or changed by hand; what another writer changed meanwhile is never overwritten.

import { ApiError, call } from "../../api.js";
import { openDialog } from "../../components/dialog.js";
import { form } from "../../components/form.js";
import { laidOut, pathOfSpec } from "./text.js";

/** Asks for a new spec, or a change of `current`. The promise is { project, name, version }, or undefined. */
export function writeSpec(current, { project, projects }) {
  return openDialog(
    current ? `Edit ${current.name}` : "New spec or contract",
    (close) =>
      form({
        fields: [
          ...(current
            ? []
            : [
                { name: "project", label: "Project", value: project, required: true, suggestions: projects },
                { name: "name", label: "Name", required: true, placeholder: "truck-api" },
              ]),
          {
            name: "body",
            label: "Content, as JSON",
            type: "textarea",
            rows: 20,
            mono: true,
            required: true,
            value: current ? laidOut(current.text) : "",
            check,
            hint: 'With "kind": "contract" it is a contract, and is checked as one. A name that ends in .schema makes it the JSON Schema of the spec before the dot.',
          },
        ],
        submit: current ? "Save" : "Add",
        cancel: () => close(),
        onsubmit: async ({ body, ...named }) => {
          const to = { project: current?.project, name: current?.name, ...named };
          close({ ...to, version: await send(to, body, current) });
        },
      }),
    { wide: true },
  );
}

function check(body) {
  try {
    JSON.parse(body);
    return undefined;
  } catch (error) {
    return error.message;
  }
}

async function send({ project, name }, body, current) {
  const kind = JSON.parse(body)?.kind === "contract" ? "contracts" : "specs";
  try {
    const done = await call("PUT", `/api/${kind}/${pathOfSpec(project, name)}`, {
      body,
      headers: { "Content-Type": "application/json" },
      query: { if_version: current?.version ?? 0 },
    });
    return (await done.json()).version;
  } catch (error) {
    if (error.status !== 412) throw error;
    throw new ApiError(
      412,
      null,
      current
        ? `${error.message}. Nothing was overwritten: copy your text, close this, and look at the newest version.`
        : `${project}/${name} is there already. Open it to edit it.`,
    );
  }
}
