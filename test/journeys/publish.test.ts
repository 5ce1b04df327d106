import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publishFolder } from "../../shared/clients/publish.ts";
import { startPublishing, type TestPublishing } from "../harness/publishing.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures");
let weir: TestPublishing;
beforeAll(async () => {
  weir = await startPublishing();
});
afterAll(() => weir.close());

const publish = (model: string, folder: string) =>
  publishFolder(weir.http, { model, folder: join(FIXTURES, folder), pool: "cpu" }, () => {});

test("a folder becomes version 1, ready, with all of the model's traffic", async () => {
  const { version, bytesSent } = await publish("sentiment", "models/tiny-bert-sentiment");

  expect(version).toMatchObject({ number: 1, state: "ready", facts: { task: "classify", labels: ["NEGATIVE", "POSITIVE"] } });
  expect(bytesSent).toBeGreaterThan(400_000);
  expect((await weir.fetch("/admin/models/sentiment")).json).toMatchObject({ live: 1, tenants: "*" });
});

test.each([
  ["bad-labels", "labels"],
  ["bad-vocab", "gather"],
  ["bomb-time", "did not load and answer within 8 s"],
])("%s is rejected with its reason", async (name, reason) => {
  await expect(publish(name, `bad-models/${name}`)).rejects.toThrow(new RegExp(`${name}@1 was rejected: .*${reason}`, "i"));
});
