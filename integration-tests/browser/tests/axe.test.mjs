// axe-core finds nothing serious on any page, in light and in dark, on a screen and on a phone.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { faults } from "../axe.mjs";
import { demo, everyView } from "../demo.mjs";
import { Server, closeBrowser, settled, visit } from "../harness.mjs";

after(closeBrowser);

for (const [name, options] of [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["a phone in light", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
]) {
  test(`no serious fault on any page, in ${name}`, async () => {
    const server = await Server.start();
    try {
      demo(server);
      // Without motion: what is fading in has no contrast yet.
      const page = await visit(server, "/", { ...options, reducedMotion: "reduce", bypassCSP: true });
      const found = {};
      for (const [view, path] of await everyView(server)) {
        await page.goto(server.dashboard + path);
        await settled(page);
        await page.waitForTimeout(150);
        const list = await faults(page);
        if (list.length) found[view] = list;
      }
      assert.deepEqual(found, {});
      await page.context().close();
    } finally {
      await server.end();
    }
  });
}

test("no serious fault in dialogs, forms and the login", async () => {
  const server = await Server.start({ token: "s3cret" });
  try {
    const page = await visit(server, "/", { reducedMotion: "reduce", bypassCSP: true });
    await page.getByLabel("Server token").waitFor();
    assert.deepEqual(await faults(page), []);
    await page.getByLabel("Server token").fill("s3cret");
    await page.keyboard.press("Enter");
    await settled(page);
    for (const [path, button] of [
      ["/events", "Publish"],
      ["/state", "New key"],
    ]) {
      await page.goto(server.dashboard + path);
      await settled(page);
      await page.getByRole("button", { name: button }).click();
      await page.getByRole("dialog").waitFor();
      assert.deepEqual(await faults(page), [], path);
    }
    await page.context().close();
  } finally {
    await server.end();
  }
});
