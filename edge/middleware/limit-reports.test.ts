import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";
import { REPORTS_AT_ONCE_MAX } from "../limits.ts";

let gateway: TestGateway;
let keys: { acme: string; globex: string };
beforeAll(async () => {
  gateway = await startGateway();
  keys = { acme: await gateway.makeKey("acme", "usage"), globex: await gateway.makeKey("globex", "usage") };
});
afterAll(() => gateway.close());

const month = new Date().toISOString().slice(0, 7);
const PATHS = ["/v1/usage", `/v1/usage/export?month=${month}`, `/v1/usage/seals?month=${month}`];
const read = (path: string, key: string) => gateway.ask("GET", path, { key });

test("of reports that a tenant asks for at once some are refused, others' are not, and afterwards all are read again", async () => {
  const asked = Array.from({ length: 5 }, () => PATHS).flat();

  const [mine, theirs] = await Promise.all([Promise.all(asked.map((path) => read(path, keys.acme))), read("/v1/usage", keys.globex)]);

  const refused = mine.filter(({ status }) => status === 429);
  expect(mine.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(REPORTS_AT_ONCE_MAX);
  expect(refused.length).toBeGreaterThan(0);
  for (const { headers, json } of refused) {
    expect(headers.get("retry-after")).toBe("1");
    expect(json).toMatchObject({ error: { code: "overloaded", message: expect.stringContaining("at once") } });
  }
  expect(theirs.status).toBe(200);
  for (const path of PATHS) expect((await read(path, keys.acme)).status).toBe(200);
});

test("over a socket a report counts until its answer has left, and no longer", async () => {
  const url = await gateway.listen();

  for (let count = 0; count < 3 * REPORTS_AT_ONCE_MAX; count += 1) {
    const answer = await fetch(url + PATHS[count % PATHS.length], { headers: { authorization: `Bearer ${keys.acme}` } });
    expect(answer.status).toBe(200);
    await answer.text();
  }
});
