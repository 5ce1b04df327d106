import { afterAll, beforeAll, expect, test } from "vitest";
import { ExportedRow, rowOf } from "../../shared/usage/export.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";
import { rowAt } from "../../test/harness/sealing.ts";
import type { Sealed } from "./usage-export.ts";

const AT = Date.UTC(2026, 9, 5, 12, 0, 7);
const rows: readonly UsageRow[] = [rowAt(AT, { tenant: "acme" }), rowAt(AT + 1, { tenant: "acme", lease: "l1", outcome: "cut" })];
const asked: { tenant: string; fromMs: number; toMs: number }[] = [];

async function* some(tenant: string, range: { fromMs: number; toMs: number }): AsyncGenerator<UsageRow> {
  asked.push({ tenant, ...range });
  yield* rows.filter((row) => row.tenant === tenant);
  if (tenant === "damaged") throw new Error("minute 2026-10-05T12:00 shard 0 is not as its seal says");
}

async function* noSeals() {}

const sealed = {
  seals: { completeness: async () => ({ sealed: 43_100, audited: 0, of: 44_640 }), ofTenant: noSeals },
  rows: { rows: some },
} as unknown as Sealed; // what exports read of it

let gateway: TestGateway;
let acme: string;
beforeAll(async () => {
  gateway = await startGateway({ override: () => ({ sealed }) });
  acme = await gateway.makeKey("acme", "usage");
  await gateway.makeKey("damaged", "usage");
});
afterAll(() => gateway.close());

test("a month's rows come as JSON lines that read back as they were, with how much of the month is sealed", async () => {
  const answer = await gateway.ask("GET", "/v1/usage/export?month=2026-10", { key: acme });

  expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
  expect(answer.headers.get("weir-sealed")).toBe("43100 of 44640");
  const read = answer.text
    .trimEnd()
    .split("\n")
    .map((line) => rowOf(ExportedRow.parse(JSON.parse(line))));
  expect(read).toEqual(rows);
  expect(asked.at(-1)).toEqual({ tenant: "acme", fromMs: Date.UTC(2026, 9, 1), toMs: Date.UTC(2026, 10, 1) });
});

test("the same as CSV, with the same fields in a stable order", async () => {
  const { text } = await gateway.ask("GET", "/v1/usage/export?month=2026-10&format=csv", { key: acme });

  const [head, first, second] = text.split("\r\n");
  expect(head).toBe(
    "request_id,accepted_at,tenant,key_id,model,version,served_version,arm,tier,dialect,task,outcome,inputs,input_tokens,output_tokens,compute_ms,price_version,fingerprint,lease",
  );
  expect(first).toBe(`${rows[0]?.requestId},2026-10-05T12:00:07.000Z,acme,k,minilm,1,1,stable,cpu,openai,embed,ok,1,7,0,3,1,f,`);
  expect(second?.endsWith(",cut,1,7,0,3,1,f,l1")).toBe(true);
});

test("only operators may have another tenant's rows, and nobody a month that is none", async () => {
  expect((await gateway.ask("GET", "/v1/usage/export?month=2026-10&tenant=acme")).text.split("\n")).toHaveLength(3);
  expect((await gateway.ask("GET", "/v1/usage/export?month=2026-10&tenant=damaged", { key: acme })).status).toBe(403);
  expect((await gateway.ask("GET", "/v1/usage/seals?month=2026-10&tenant=damaged", { key: acme })).status).toBe(403);
  expect((await gateway.ask("GET", "/v1/usage/export?month=2026-13", { key: acme })).status).toBe(400);
  expect((await gateway.ask("GET", "/v1/usage/export", { key: acme })).status).toBe(400);
});

test("rows that are not those of their seal end the stream in the middle, and not as if it were whole", async () => {
  await expect(gateway.ask("GET", "/v1/usage/export?month=2026-10&tenant=damaged")).rejects.toThrow("not as its seal says");
});
