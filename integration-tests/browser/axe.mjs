// What axe-core finds on a page.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Its serious findings, a line for each. The page must have been opened with `bypassCSP`. */
export async function faults(page) {
  // Given to the browser by its debugger: the page itself would refuse a foreign script.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 4)
          .map(({ target, failureSummary }) => `${target} ${failureSummary.split("\n")[1] ?? ""}`)
          .join(" | ")}`,
    );
}
