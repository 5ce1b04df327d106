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

const weir = (line: string) => runCommand(line.split(" "), { WEIR_URL: url, WEIR_KEY: gateway.operatorKey });
const stored = async () => await gateway.deps.control.tenants.current("acme");

test("a tenant's rate, burst, name and duplicate window are changed one by one, and the others stay", async () => {
  const first = await stored();

  const faster = await weir("tenants change acme --rate 250.5 --why trial");
  expect(faster.out).toMatch(/^acme .* 250\.5 +200 /m);
  await weir("tenants change acme --burst 600");
  await weir("tenants change acme --name Acme --duplicate-window 30");

  expect((await stored())?.body).toEqual({
    ...first?.body,
    name: "Acme",
    rate: { requestsPerSecond: 250.5, burst: 600 },
    duplicateWindowSeconds: 30,
  });
  expect((await weir("tenants change acme --duplicate-window 0")).code).toBe(0);
  expect((await stored())?.body.duplicateWindowSeconds).toBe(0);
});

test("what says nothing, or nonsense, or comes after another's change, changes nothing", async () => {
  const before = await stored();

  const refused = [
    await weir("tenants change acme"),
    await weir("tenants change acme --rate fast"),
    await weir("tenants change acme --burst 0"),
    await weir("tenants change acme --duplicate-window 601"),
    await weir("tenants change acme --rate 1 --if-revision 1"),
    await weir("tenants change nobody --rate 1"),
  ];

  expect(refused.map(({ code }) => code)).toEqual([2, 2, 1, 1, 1, 1]);
  expect(refused[0]?.err).toContain("Say what to change");
  expect(await stored()).toEqual(before);
});
