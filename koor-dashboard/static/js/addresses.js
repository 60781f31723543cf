// Which project an agent works in, and by which address others write to it, as koor-core/src/domain/agents.rs has it.

const MOST_BYTES = 200;
// Names are sorted as people count: agent-2 before agent-10.
const byName = new Intl.Collator("en", { numeric: true });

/** The project of an agent by its workspace: the workspace itself if it is a project's name, else its last segment; or "". */
export function projectOf(workspace) {
  if (isProject(workspace)) return workspace;
  const last = workspace.replace(/\/+$/, "").split("/").at(-1);
  return isProject(last) ? last : "";
}

function isProject(name) {
  return (
    name !== "" && !/[/\u0000-\u001f\u007f-\u009f]/.test(name) && new TextEncoder().encode(name).length <= MOST_BYTES
  );
}

/** `project/name` in its two parts. A name may have slashes, a project has none. */
export function parts(address) {
  const at = address.indexOf("/");
  return at < 0 ? { project: "", name: address } : { project: address.slice(0, at), name: address.slice(at + 1) };
}

/**
 * The agents of a project, one for each name, by name: the instance that was heard of last stands for those that share one.
 * An agent without a workspace works in every project.
 */
export function agentsOf(instances, project) {
  const found = new Map();
  for (const instance of instances) {
    if (instance.workspace !== "" && projectOf(instance.workspace) !== project) continue;
    const before = found.get(instance.name);
    if (!before || before.last_seen < instance.last_seen) found.set(instance.name, instance);
  }
  return [...found.values()].sort((a, b) => byName.compare(a.name, b.name));
}

/**
 * Every address that has or had a mailbox, by project and name: those of instances, and those that messages went to, which
 * `sent` (events `$message.sent`) name.
 */
export function mailboxes(instances, sent) {
  const all = new Set();
  for (const { name, workspace } of instances) {
    const project = projectOf(workspace);
    if (project) all.add(`${project}/${name}`);
  }
  for (const { data } of sent) {
    for (const address of data?.recipients ?? []) all.add(address);
  }
  return [...all]
    .map((address) => ({ address, ...parts(address) }))
    .sort((a, b) => byName.compare(a.address, b.address));
}
