import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

const CHANGE = { by: "test", why: "", atMs: 0 };

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
  const { models, versions } = gateway.deps.control;
  for (const name of ["minilm", "empty"]) await models.append(name, 0, { body: { name, tenants: "*" }, change: CHANGE });
  for (let number = 1; number <= 11; number += 1) {
    const upstream = { url: "http://127.0.0.1:9/v1", model: `engine-${number}` };
    await versions.append({ model: "minilm", number, contentDigest: `${number}`, state: "upstream", upstream }, 0, CHANGE);
  }
  const unready = { model: "minilm", contentDigest: "x", files: [{ path: "a", bytes: 1, sha256: "0".repeat(64) }] };
  const placement = { pool: "cpu", dtype: "fp32" } as const;
  await versions.append({ ...unready, number: 12, state: "checking", placement }, 0, CHANGE);
  await versions.append({ ...unready, number: 13, state: "rejected", reason: "no tokenizer", placement }, 0, CHANGE);
});
afterAll(() => gateway.close());

const put = (shares: unknown, model = "minilm") => gateway.ask("PUT", `/admin/splits/${model}`, { body: { shares } });
const half = [
  { version: 1, shareBps: 5000 },
  { version: 2, shareBps: 5000 },
];

test("a split is set in one revision each time, and its history can be read", async () => {
  const first = await put([{ version: 1, shareBps: 10_000 }]);
  const second = await gateway.ask("PUT", "/admin/splits/minilm", {
    body: {
      shares: [
        { version: 1, shareBps: 9000 },
        { version: 2, shareBps: 1000 },
      ],
      why: "try the new one",
    },
  });

  expect(first.json).toMatchObject({ live: 1, shares: [{ version: 1, shareBps: 10_000, arm: "stable" }], revision: { number: 1 } });
  expect(second.json).toMatchObject({
    model: "minilm",
    live: 1,
    shares: [
      { version: 1, shareBps: 9000, arm: "stable" },
      { version: 2, shareBps: 1000, arm: "canary" },
    ],
    revision: { number: 2, why: "try the new one" },
  });
  expect((await gateway.ask("GET", "/admin/splits/minilm")).json).toEqual(second.json);
  expect((await gateway.ask("GET", "/admin/splits/minilm/history")).json).toEqual({ items: [second.json, first.json] });
});

test("setting the shares that are in force changes nothing, in whatever order they stand", async () => {
  const set = await put(half);

  const again = await put(half.toReversed());

  expect(again.json).toEqual(set.json);
});

test.each([
  ["a version that does not exist", [{ version: 99, shareBps: 10_000 }], "shares.0.version"],
  ["a version that is being checked", [half[0], { version: 12, shareBps: 5000 }], "shares.1.version"],
  ["a version that was rejected", [half[0], { version: 13, shareBps: 5000 }], "shares.1.version"],
  ["shares that sum to 9,999", [half[0], { version: 2, shareBps: 4999 }], "shares"],
  ["shares that sum to 10,001", [half[0], { version: 2, shareBps: 5001 }], "shares"],
  ["a version twice", [half[0], half[0]], "shares"],
  ["a share of nothing", [{ version: 1, shareBps: 0 }, half[1]], "shares.0.shareBps"],
  [
    "a negative share",
    [
      { version: 1, shareBps: 15_000 },
      { version: 2, shareBps: -5000 },
    ],
    "shares.0.shareBps",
  ],
  [
    "a broken share",
    [
      { version: 1, shareBps: 3333.5 },
      { version: 2, shareBps: 6666.5 },
    ],
    "shares.0.shareBps",
  ],
  ["a share as text", [{ version: 1, shareBps: "5000" }, half[1]], "shares.0.shareBps"],
  ["no shares", [], "shares"],
  ["eleven arms", Array.from({ length: 11 }, (_, index) => ({ version: index + 1, shareBps: index === 0 ? 9000 : 100 })), "shares"],
])("%s is refused with the field's name, and the split stays", async (_, shares, field) => {
  await put(half);
  const before = await gateway.deps.control.splits.current("minilm");

  const refused = await put(shares);

  expect(refused).toMatchObject({ status: 400, json: { error: { code: "invalid_request", field } } });
  expect(await gateway.deps.control.splits.current("minilm")).toEqual(before);
});

test("a refusal says what is wrong with the version", async () => {
  expect((await put([{ version: 12, shareBps: 10_000 }])).json).toMatchObject({
    error: { message: "shares.0.version: minilm@12 is checking, not ready" },
  });
});

test("splits of unknown models, and of models without one, are not found", async () => {
  expect((await put(half, "nobody")).status).toBe(404);
  expect((await gateway.ask("GET", "/admin/splits/empty")).status).toBe(404);
  expect((await gateway.ask("GET", "/admin/splits/empty/history")).json).toEqual({ items: [] });
});

test("two operators at once: what is in force was set by one of them, and the other is told", async () => {
  const [one, other] = await Promise.all([put([{ version: 3, shareBps: 10_000 }]), put([{ version: 4, shareBps: 10_000 }])]);

  const statuses = [one.status, other.status].toSorted();
  expect(statuses[0]).toBe(200);
  expect([200, 409]).toContain(statuses[1]);
  const current = await gateway.ask("GET", "/admin/splits/minilm");
  expect([one.json, other.json]).toContainEqual(current.json);
});
