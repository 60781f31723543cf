// Every page there is. The first segment of an address names the page, as koor-dashboard/src/lib.rs lists them.

export const PAGES = [
  { name: "", label: "Overview", icon: "overview", group: "", load: () => import("./pages/overview.js") },
  { name: "events", label: "Events", icon: "events", group: "", load: () => import("./pages/events.js") },
  { name: "agents", label: "Agents", icon: "agents", group: "", load: () => import("./pages/agents.js") },
  { name: "tasks", label: "Tasks", icon: "tasks", group: "Work", load: () => import("./pages/tasks.js") },
  { name: "leases", label: "Leases", icon: "leases", group: "Work", load: () => import("./pages/leases.js") },
  { name: "messages", label: "Messages", icon: "messages", group: "Work", load: () => import("./pages/messages.js") },
  { name: "state", label: "State", icon: "state", group: "Shared", load: () => import("./pages/state.js") },
  { name: "specs", label: "Specs & contracts", icon: "specs", group: "Shared", load: () => import("./pages/specs.js") },
  {
    name: "templates",
    label: "Templates",
    icon: "templates",
    group: "Shared",
    load: () => import("./pages/templates.js"),
  },
  { name: "rules", label: "Rules", icon: "rules", group: "Checked", load: () => import("./pages/rules.js") },
  {
    name: "compliance",
    label: "Compliance",
    icon: "compliance",
    group: "Checked",
    load: () => import("./pages/compliance.js"),
  },
  { name: "audit", label: "Audit", icon: "audit", group: "Checked", load: () => import("./pages/audit.js") },
  { name: "costs", label: "Costs", icon: "costs", group: "Server", load: () => import("./pages/costs.js") },
  { name: "webhooks", label: "Webhooks", icon: "webhooks", group: "Server", load: () => import("./pages/webhooks.js") },
];
