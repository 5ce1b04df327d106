import { afterAll, beforeAll, expect, test } from "vitest";
import { LimitsReport } from "../../shared/limits/report.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.close());

test("a key sees what it and its tenant are held to, and what is left of each", async () => {
  const limits = { requestsPerDay: 1_000, tokensPerMinute: 60_000, concurrentRequests: 4 };
  await gateway.ask("POST", "/admin/tenants", { body: { id: "acme", limits } });
  const made = await gateway.ask("POST", "/admin/keys", {
    body: { tenant: "acme", name: "ci", scopes: ["usage"], limits: { requestsPerDay: 10 } },
  });
  const { key } = made.json as { key: string };

  const answer = await gateway.ask("GET", "/v1/limits", { key });

  const { items } = LimitsReport.parse(answer.json);
  expect(items.map(({ name, unit, quota, remaining }) => [name, unit, quota, remaining])).toEqual([
    ["requests", "requests", 200, expect.toSatisfy((left: number) => left >= 199)],
    ["daily", "requests", 1_000, 1_000],
    ["key-daily", "requests", 10, 10],
    ["tokens", "tokens", 60_000, 60_000],
    ["concurrency", "concurrent-requests", 4, 4],
  ]);
  expect(items.find(({ name }) => name === "tokens")).toMatchObject({ windowSeconds: 60, wholeInSeconds: 0 });
  expect(answer.headers.get("ratelimit-policy")).toBe(
    '"requests";q=200;w=2, "daily";q=1000;w=86400, "key-daily";q=10;w=86400, "tokens";q=60000;w=60;weir-unit="tokens", "concurrency";q=4;qu="concurrent-requests"',
  );
});

test("a key without the scope sees nothing", async () => {
  const key = await gateway.makeKey("globex", "infer");

  expect((await gateway.ask("GET", "/v1/limits", { key })).status).toBe(403);
});
