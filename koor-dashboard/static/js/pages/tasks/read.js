// Which tasks of a project the board shows, and how they are read.

import { get } from "../../api.js";
import { newestFrom } from "../../tasks.js";

// As many are shown of each status. The rest is a number; `koor task list` has them all.
const MOST = { open: 200, claimed: 200, review: 200, failed: 100, done: 40, cancelled: 20 };
// A page of ended tasks, of which the newest are shown.
const PAGE = 10_000;

/** The tasks of a project whose counts by status these are: of unfinished ones the most urgent, of ended ones the newest. */
export async function readTasks(counts, signal) {
  const path = `/api/tasks/${encodeURIComponent(counts.project)}`;
  const total = Object.keys(MOST).reduce((sum, status) => sum + counts[status], 0);
  const read = async (status) => {
    if (counts[status] === 0) return [];
    if (status !== "done" && status !== "cancelled")
      return get(path, { query: { status, order: "priority", limit: MOST[status] }, signal });
    const after = newestFrom(total, counts[status], MOST[status]);
    const found = await get(path, { query: { status, after_number: after || null, limit: PAGE }, signal });
    return found.sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1)).slice(0, MOST[status]);
  };
  return (await Promise.all(Object.keys(MOST).map(read))).flat();
}
