// Leased paths as a tree: a folder for each segment, and below it the leases on its paths.

/**
 * The rows of the tree, in the order in which they are shown. A folder is `{ id, name, depth, open, inside }`, a leased path
 * `{ id, name, depth, path, lease }`. Folders with a single folder in them are one row. `folded` has the ids of closed folders.
 */
export function leaseRows(leases, folded) {
  const root = folder("");
  for (const lease of leases) {
    for (const path of lease.paths) {
      const segments = path.split("/");
      const name = segments.pop();
      let at = root;
      for (const segment of segments) {
        at.inside += 1;
        if (!at.folders.has(segment)) at.folders.set(segment, folder(`${at.id}${segment}/`));
        at = at.folders.get(segment);
      }
      at.inside += 1;
      at.paths.push({ name, path, lease });
    }
  }
  const rows = [];
  walk(root, 0, rows, folded);
  return rows;
}

function folder(id) {
  return { id, folders: new Map(), paths: [], inside: 0 };
}

function walk(at, depth, rows, folded) {
  for (const [segment, below] of sorted(at.folders)) {
    let [name, inner] = [segment, below];
    while (inner.paths.length === 0 && inner.folders.size === 1) {
      const [[segment, only]] = inner.folders;
      [name, inner] = [`${name}/${segment}`, only];
    }
    const open = !folded.has(inner.id);
    rows.push({ id: inner.id, name: `${name}/`, depth, open, inside: inner.inside });
    if (open) walk(inner, depth + 1, rows, folded);
  }
  const paths = at.paths.sort((a, b) => compare(a.name, b.name) || a.lease.id - b.lease.id);
  for (const { name, path, lease } of paths) rows.push({ id: `${lease.id} ${path}`, name, depth, path, lease });
}

function sorted(folders) {
  return [...folders].sort(([a], [b]) => compare(a, b));
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
