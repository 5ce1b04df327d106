import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "../../test/harness/command.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

let gateway: TestGateway;
let url: string;
beforeAll(async () => {
  gateway = await startGateway();
  url = await gateway.listen();
  await gateway.makeKey("acme", "usage");
});
afterAll(() => gateway.close());

const weir = (line: string, key = gateway.operatorKey) => runCommand(line.split(" "), { WEIR_URL: url, WEIR_KEY: key });

const stored = async () => (await gateway.deps.control.tenants.current("acme"))?.body.limits;

test("a tenant's limits are set as a whole, shown to its keys, and taken away", async () => {
  const set = await weir("limits set acme --tokens 60000 --concurrent 4 --why trial");

  expect(set.out).toMatch(/^acme +60000 +4/m);
  expect(await stored()).toEqual({ tokensPerMinute: 60_000, concurrentRequests: 4 });
  const shown = await weir("limits show", await gateway.makeKey("acme", "usage"));
  expect(shown.out).toMatch(/^tokens +tokens +60000 +60 +60000 +0$/m);
  expect(shown.out).toMatch(/^concurrency +concurrent-requests +4 +4/m);
  expect((await weir("limits set acme --none")).code).toBe(0);
  expect(await stored()).toEqual({});
});

test("a key's own limits are set beside its tenant's", async () => {
  const key = await gateway.makeKey("acme", "usage");

  const set = await weir(`limits set-key ${key.split("_")[3]} --rate 2.5 --per-day 10`);

  expect(set.code).toBe(0);
  expect(set.out).toMatch(/2\.5 \(3\) +10/);
  expect((await weir("limits show", key)).out).toMatch(/^key-daily +requests +10 +86400 +10/m);
});

test("what names no limit, or one that is none, is not understood, and nothing is sent", async () => {
  await weir("limits set acme --tokens 5");

  for (const line of ["limits set acme", "limits set acme --tokens 0", "limits set acme --tokens 5 --none"])
    expect((await weir(line)).code).toBe(2);

  expect(await stored()).toEqual({ tokensPerMinute: 5 });
});
