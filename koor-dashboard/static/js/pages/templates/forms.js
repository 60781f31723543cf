// Templates written by hand, captured from a project, and applied to one.

import { get, post, put } from "../../api.js";
import { h } from "../../dom.js";
import { openDialog } from "../../components/dialog.js";
import { form } from "../../components/form.js";
import { contentsOf, inWords } from "./contents.js";

const KINDS = [
  ["rules", "Rules"],
  ["contracts", "Contracts"],
  ["bundle", "Bundle: rules, contracts and specs"],
];

function about(template) {
  return [
    { name: "id", label: "Id", required: true, value: template.id, placeholder: "web-basics" },
    { name: "name", label: "Name", required: true, value: template.name, placeholder: "Web basics" },
    { name: "description", label: "Description", type: "textarea", rows: 2, value: template.description },
    { name: "kind", label: "Kind", type: "select", options: KINDS, value: template.kind },
    { name: "tags", label: "Tags", list: true, value: template.tags?.join(", "), hint: "Separated by commas." },
  ];
}

/** Asks for a new template, or a change of one. The promise is the template, or undefined. */
export function editTemplate(template) {
  const text = template ? JSON.stringify(template.data, null, 2) : "[]";
  return openDialog(
    template ? `Edit ${template.name}` : "Create a template",
    (close) =>
      form({
        fields: [
          ...about(template ?? { kind: "rules" }).filter(({ name }) => !template || name !== "id"),
          {
            name: "data",
            label: "Data, as JSON",
            type: "textarea",
            rows: 14,
            json: true,
            value: text,
            hint: "Rules: an array of rules. Contracts: a contract, or contracts by name. Bundle: { rules, contracts, specs }.",
          },
        ],
        submit: template ? "Save" : "Create",
        cancel: () => close(),
        onsubmit: async (values) => {
          // An empty list fits the rules that a new template begins with, and an empty template of any kind.
          const data = Array.isArray(values.data) && !values.data.length ? {} : values.data;
          close(
            template
              ? await put(`/api/templates/${encodeURIComponent(template.id)}`, { ...values, data, id: template.id })
              : await post("/api/templates", { ...values, data }),
          );
        },
      }),
    { wide: true },
  );
}

/** Asks which project a template is to be made from. The promise is the template, or undefined. */
export async function captureTemplate(projects) {
  return openDialog("Capture a project", (close) =>
    form({
      fields: [
        {
          name: "project",
          label: "Project",
          required: true,
          suggestions: projects,
          wide: true,
          hint: "Its accepted rules and its contracts are copied into a new template.",
        },
        ...about({ kind: "bundle" }),
      ],
      submit: "Capture",
      cancel: () => close(),
      onsubmit: async (values) => close(await post("/api/templates/capture", values)),
    }),
  );
}

/** Asks where a template is to be applied. The promise is the project's name, or undefined. */
export function applyTemplate(template, projects) {
  const contents = contentsOf(template);
  return openDialog(`Apply ${template.name}`, (close) => {
    const said = h("p.soft", { "aria-live": "polite" });
    return form({
      fields: [
        {
          name: "project",
          label: "Project",
          required: true,
          suggestions: projects,
          wide: true,
          oninput: () => said.replaceChildren(),
        },
      ],
      children: [
        h(
          "p.soft",
          `It brings ${inWords(contents)}, all of it or nothing. Rules of the same name are replaced; contracts and specs of the same name get a new version.`,
        ),
        said,
      ],
      submit: "Apply",
      cancel: () => close(),
      onsubmit: async ({ project }) => {
        const replaced = await sameNames(project, contents);
        if (replaced && said.dataset.of !== project) {
          // Asked once for each project: the second press is the answer.
          said.dataset.of = project;
          said.replaceChildren(
            h(
              "span.notice",
              `${project} has ${replaced} already, which would be replaced. Press Apply again if that is what you want.`,
            ),
          );
          return;
        }
        await post(`/api/templates/${encodeURIComponent(template.id)}/apply`, { project });
        close(project);
      },
    });
  });
}

async function sameNames(project, { rules, contracts, specs }) {
  const [there, documents] = await Promise.all([
    get("/api/rules", { query: { project } }),
    get(`/api/specs/${encodeURIComponent(project)}`),
  ]);
  const ids = new Set(there.map(({ rule_id }) => rule_id));
  const names = new Set(documents.specs.map(({ name }) => name));
  const same = {
    rules: rules.filter((rule) => ids.has(rule?.rule_id)),
    contracts: contracts.filter(([name]) => names.has(name)),
    specs: specs.filter(([name]) => names.has(name)),
  };
  return Object.values(same).some((list) => list.length) ? inWords(same) : "";
}
