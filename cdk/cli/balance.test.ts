import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "../../test/harness/command.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let weir: Serving;
let folder: string;
let keys: { operator: string; tenant: string };
beforeAll(async () => {
  weir = await startServing();
  folder = mkdtempSync(join(tmpdir(), "weir-cli-"));
  await weir.makeTenant("operators", { requestsPerSecond: 1_000, burst: 1_000 });
  keys = { operator: await weir.makeKey("operators", "operate"), tenant: await weir.makeKey("acme", "keys", "usage") };
});
afterAll(async () => {
  await weir.close();
  rmSync(folder, { recursive: true });
});

const run = (as: keyof typeof keys, ...words: string[]) =>
  runCommand(words, { WEIR_STATE_DIR: folder, WEIR_URL: weir.url, WEIR_KEY: keys[as] });

test("credits are given and taken back, and the balance is shown to both sides", async () => {
  const granted = await run("operator", "balance", "grant", "acme", "25.00", "--id", "payment-17", "--why", "paid", "--priority", "3");
  const adjusted = await run("operator", "balance", "adjust", "acme", "--id", "fix", "--why", "typo", "--", "-0.5");

  expect([granted.code, adjusted.code]).toEqual([0, 0]);
  expect((await run("tenant", "balance", "show")).out).toMatch(/acme has 24\.5 and 0 in leases; it is not prepaid/);
  expect((await run("operator", "balance", "credits", "acme")).out).toMatch(/fix\s+adjustment\s+-0\.5\s+applied/);
  expect((await run("operator", "balance", "grant", "acme", "1")).code).toBe(2);
});

test("a webhook is made, tried, rotated and ended, and its secret is printed when it is made", async () => {
  const made = await run("tenant", "webhooks", "create", "https://93.184.216.34/hook", "--event", "balance.low");
  const [id = ""] = /^[0-9A-Za-z]{16}/m.exec(made.out) ?? [];

  expect(made.out).toContain("whsec_");
  expect((await run("tenant", "webhooks", "test", id)).out).toMatch(/webhook\.test\s+acme\s+pending/);
  expect((await run("tenant", "webhooks", "rotate", id)).out).toContain("no. 2");
  expect((await run("tenant", "webhooks", "deliveries", id)).out).toContain("webhook.test");
  expect((await run("tenant", "webhooks", "delete", id)).code).toBe(0);
  expect((await run("tenant", "webhooks", "list")).out).not.toContain(id);
  expect(await run("tenant", "webhooks", "create", "https://10.0.0.1/hook")).toMatchObject({
    code: 1,
    err: expect.stringContaining("public address"),
  });
  expect((await run("tenant", "webhooks", "create", "https://93.184.216.34/hook", "--event", "nonsense")).code).toBe(2);
});
