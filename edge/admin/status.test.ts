import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import { Status } from "../../shared/status/status.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";
import { FAILURES_IN_ROW_MAX } from "../serve/breaker.ts";

let gateway: TestGateway;
let pool: Server;
beforeAll(async () => {
  pool = createServer((request, response) => response.writeHead(request.url === "/ping" ? 200 : 404).end()).listen(0, "127.0.0.1");
  await once(pool, "listening");
  const address = pool.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  const pools = [
    { name: "cpu", tier: "cpu", kind: "http", url },
    { name: "broken", tier: "cpu", kind: "http", url: `${url}/elsewhere/` },
    { name: "gone", tier: "gpu", kind: "http", url: "http://127.0.0.1:9" },
    { name: "cloud", tier: "gpu", kind: "lambda", functionName: "weir-gpu" },
  ];
  gateway = await startGateway({ environment: { WEIR_POOLS: JSON.stringify(pools) } });
});
afterAll(async () => {
  await gateway.close();
  pool.close();
});

test("the status says what is there, and what is not", async () => {
  const answer = await gateway.ask("GET", "/admin/status");

  const status = Status.parse(answer.json);
  expect(status).toMatchObject({ store: { isReachable: true }, counts: { tenants: 1, models: 0 } });
  expect(status.pools.find(({ name }) => name === "cpu")?.state).toBe("reachable");
  expect(status.pools.find(({ name }) => name === "gone")?.state).toBe("unreachable");
  expect(status.pools.find(({ name }) => name === "cloud")?.state).toBe("on-demand");
});

test("the status says which pools and versions are left alone, and why", async () => {
  const { breakers } = gateway.deps;
  const fail = (dtype: string, failure: Failure) => {
    for (let time = 0; time < FAILURES_IN_ROW_MAX; time += 1) {
      const passage = breakers.pass({ pool: dtype === "q8" ? "cpu" : "gone", model: "m", version: 1, dtype });
      if ("failed" in passage) passage.failed(failure, 1_000);
    }
  };
  fail("fp32", new Failure("unavailable", "It is asleep.", { retryAfterMs: 20_000 }));
  fail("q8", new Failure("engine_failed", "It crashed."));

  const { pools } = Status.parse((await gateway.ask("GET", "/admin/status")).json);

  expect(pools.find(({ name }) => name === "gone")).toMatchObject({ breaker: { state: "open", reason: "It is asleep." }, failing: [] });
  expect(pools.find(({ name }) => name === "cpu")).toMatchObject({
    breaker: { state: "closed", retryInMs: 0 },
    failing: [{ version: "m@1 q8", reason: "It crashed." }],
  });
});
