import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startDynamo, type TestDynamo } from "../../../test/harness/dynamo.ts";
import { listed, rowAt } from "../../../test/harness/sealing.ts";
import { systemClock } from "../../base/clock.ts";
import { createLeanDynamo, type LeanDynamo } from "../../dynamo/lean-client.ts";
import { queryAll } from "../../dynamo/query-pages.ts";
import { startOf } from "../period.ts";
import { startSeal } from "./seal-builder.ts";
import { createSealStore } from "./seal-store.dynamo.ts";
import type { BucketState, Closing, HeadAt, SealStore } from "./seal-store.ts";

let dynamo: TestDynamo;
let lean: LeanDynamo;
let store: SealStore;
let minute: string;
let hours = 0;
beforeAll(async () => {
  dynamo = await startDynamo();
});
afterAll(() => dynamo.close());
beforeEach(() => {
  lean = createLeanDynamo(dynamo.dynamo.settings, systemClock);
  store = createSealStore({ lean, tablePrefix: "weir" });
  hours += 1; // each test has an hour of its own
  minute = `${new Date(Date.UTC(2026, 0, 1, hours)).toISOString().slice(0, 13)}:25`;
});
afterEach(() => lean.close());

const block = () => ({ hour: minute.slice(0, 13), group: 0 });
const stateOf = async (shard: number): Promise<BucketState | undefined> => (await store.readBlock(block())).get(minute)?.get(shard);

/** A seal of rows of that many tenants. */
function closingOf(shard: number, tenantCount: number, values: Partial<Closing> = {}): Closing {
  const seal = startSeal();
  for (let each = 0; each < tenantCount; each += 1) {
    seal.add(rowAt(startOf(minute), { tenant: `tenant-${String(each).padStart(6, "0")}` }));
  }
  return { minute, shard, seal: { ...seal.finish(), revision: 1, sealedAtMs: 7 }, ...values };
}

async function tenantsOf(shard: number): Promise<number> {
  const state = await stateOf(shard);
  const heads: HeadAt[] = state === undefined ? [] : [{ minute, shard, head: state.head }];
  return (await listed(store.bodies(block(), minute, heads))).flat().length;
}

test("a bucket's first seal stays, whatever another sealer read later", async () => {
  await store.close([closingOf(3, 2)]);
  const first = await stateOf(3);

  await store.close([closingOf(3, 5)]);

  expect(await stateOf(3)).toEqual(first);
  expect(await tenantsOf(3)).toBe(2);
});

test("of buckets that are closed together, those that another has closed stay, and the others are closed", async () => {
  await store.close([closingOf(0, 1)]);
  const first = await stateOf(0);

  await store.close([closingOf(0, 4), closingOf(1, 0), closingOf(2, 3)]);

  expect(await stateOf(0)).toEqual(first);
  expect((await stateOf(1))?.head).toMatchObject({ rowCount: 0, pages: [] });
  expect(await tenantsOf(2)).toBe(3);
});

test("a re-audit adds a revision and says when it was, once", async () => {
  const audited = (auditedAtMs: number, tenantCount: number): Closing => {
    const { seal } = closingOf(0, tenantCount);
    return { minute, shard: 0, auditedAtMs, ...(seal && { seal: { ...seal, revision: 2 } }) };
  };
  await store.close([closingOf(0, 1)]);

  await store.close([audited(100, 2)]);
  await store.close([audited(200, 3)]);
  await store.close([{ minute, shard: 0, auditedAtMs: 300 }]);

  expect(await stateOf(0)).toMatchObject({
    head: { revision: 2, rowCount: 2 },
    superseded: { revision: 1, rowCount: 1 },
    auditedAtMs: 100,
  });
  expect(await tenantsOf(0)).toBe(2);
});

test("a large seal lies in pages below the store's bound and is read back whole", async () => {
  await store.close([closingOf(0, 2_000)]);
  await store.close([closingOf(1, 1)]);

  const pages = (await stateOf(0))?.head.pages ?? [];
  expect(pages.length).toBeGreaterThan(2);
  expect(await tenantsOf(0)).toBe(2_000);
  const items = await queryAll(lean, { table: "weir-seals", pk: `h#${minute.slice(0, 13)}#0000` });
  for (const item of items) expect(JSON.stringify(item).length).toBeLessThan(400_000);
});

test("pages that a sealer left before it died are found by nobody", async () => {
  const orphan = { ...lean, call: refuseUpdates };
  await expect(createSealStore({ lean: orphan, tablePrefix: "weir" }).close([closingOf(0, 9)])).rejects.toThrow();

  await store.close([closingOf(0, 2)]);

  expect(await tenantsOf(0)).toBe(2);
});

const refuseUpdates: LeanDynamo["call"] = (operation, input, timeoutMs) => {
  if (operation === "UpdateItem") throw new Error("killed");
  return lean.call(operation, input, timeoutMs);
};

test("a page that is missing, or is not what its name says, is no seal", async () => {
  await store.close([closingOf(0, 1)]);
  const [hash = ""] = (await stateOf(0))?.head.pages ?? [];
  const key = { pk: { S: `h#${minute.slice(0, 13)}#0000` }, sk: { S: `page#25#00000#000#${hash}` } };

  await lean.call("PutItem", { TableName: "weir-seals", Item: { ...key, t: { S: "[]" } } }, 5_000);
  await expect(tenantsOf(0)).rejects.toThrow("is not what its name says");
  await lean.call("DeleteItem", { TableName: "weir-seals", Key: key }, 5_000);
  await expect(tenantsOf(0)).rejects.toThrow("lacks its page");
});

test("pages that only a superseded seal names are deleted once its bucket was read again, and never a page of the seal that counts", async () => {
  const pagesOf = async () =>
    (await queryAll(lean, { table: "weir-seals", pk: `h#${minute.slice(0, 13)}#0000`, between: ["page#", "page#~"] })).length;
  await store.close([closingOf(1, 2), closingOf(2, 3)]);
  const first = await pagesOf();
  const second = closingOf(1, 4).seal;
  await store.dropSuperseded(block(), await store.readBlock(block()));
  expect(await pagesOf()).toBe(first); // nobody has read them again

  await store.close([
    { minute, shard: 1, seal: { ...second, revision: 2, sealedAtMs: 8 }, auditedAtMs: 8 } as Closing,
    { minute, shard: 2, auditedAtMs: 8 },
  ]);
  expect(await pagesOf()).toBe(first + 1);
  await store.dropSuperseded(block(), await store.readBlock(block()));
  await store.dropSuperseded(block(), await store.readBlock(block()));

  expect(await pagesOf()).toBe(first);
  expect([await tenantsOf(1), await tenantsOf(2)]).toEqual([4, 3]);
  expect((await stateOf(1))?.superseded).toMatchObject({ revision: 1, rowCount: 2 });
});
