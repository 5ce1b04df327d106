import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sha256Hex } from "../../shared/base/hash.ts";
import type { Version, VersionFile } from "../../shared/models/version.ts";
import { offerFolder, startPublishing, type TestPublishing } from "../../test/harness/publishing.ts";

const SENTIMENT = join(import.meta.dirname, "../../test/fixtures/models/tiny-bert-sentiment");
const PLACEMENT = { pool: "cpu", dtype: "fp32" } as const;
const CHANGE = { by: "test", why: "", atMs: 0 };

let weir: TestPublishing;
beforeAll(async () => {
  weir = await startPublishing();
  // Here the tests themselves say when a check runs.
  await weir.stopIntake();
});
afterAll(() => weir.close());

async function putChecking(model: string, files: VersionFile[]) {
  const version: Version = { model, number: 1, state: "checking", contentDigest: "d", files, placement: PLACEMENT };
  await weir.control.versions.append(version, 0, CHANGE);
}

const current = async (model: string) => (await weir.control.versions.current(model, 1)) ?? expect.unreachable();

test("two checks of one version at once give one verdict and one split", async () => {
  await putChecking("twice", (await offerFolder(weir.s3, SENTIMENT)).files);

  const states = await Promise.all([weir.check("twice", 1), weir.check("twice", 1)]);

  expect(states).toEqual(["ready", "ready"]);
  expect((await current("twice")).revision).toBe(2);
  expect((await weir.control.splits.current("twice"))?.revision).toBe(1);
});

test("a crash between the verdict and the split is made good by the next round", async () => {
  await putChecking("unsplit", (await offerFolder(weir.s3, SENTIMENT)).files);
  const { body, revision } = await current("unsplit");
  const facts = { head: "classify", family: "bert", tokensMax: 64, dtypes: ["fp32" as const] } as const;
  if (body.state !== "checking") expect.unreachable();
  await weir.control.models.append("unsplit", 0, { body: { name: "unsplit", tenants: "*" }, change: CHANGE });
  await weir.control.versions.append(
    { ...body, state: "ready", facts: { ...facts, dtypes: [...facts.dtypes] }, manifestDigest: "m" },
    revision,
    CHANGE,
  );

  const { unfinished } = await weir.tidy();
  for (const job of unfinished) await weir.check(job.model, job.number);

  expect(unfinished).toEqual([{ model: "unsplit", number: 1 }]);
  expect((await weir.control.splits.current("unsplit"))?.body.arms).toEqual([{ name: "stable", version: 1 }]);
  expect((await weir.tidy()).unfinished).toEqual([]);
});

test("a version whose parts have been tidied away is rejected, and says what to do", async () => {
  const bytes = randomBytes(10);
  await putChecking("gone", [{ path: "config.json", bytes: 10, sha256: sha256Hex(bytes) }]);

  await weir.check("gone", 1);

  expect((await current("gone")).body).toMatchObject({
    state: "rejected",
    reason: expect.stringMatching(/^config\.json has not arrived whole\. Publish again/),
  });
});

test("a folder that does not fit on intake's disk is rejected before a byte is read", async () => {
  await putChecking("huge", [{ path: "config.json", bytes: 300e6, sha256: sha256Hex("huge") }]);

  await weir.check("huge", 1);

  expect((await current("huge")).body).toMatchObject({
    state: "rejected",
    reason: "The folder has 300000000 bytes; at most 256000000 can be checked here.",
  });
});

test("a store that is away is no verdict: the version stays as it is", async () => {
  const other = await startPublishing();
  await other.stopIntake();
  const { files } = await offerFolder(other.s3, SENTIMENT);
  await other.control.versions.append(
    { model: "m", number: 1, state: "checking", contentDigest: "d", files, placement: PLACEMENT },
    0,
    CHANGE,
  );
  await other.s3.close();

  await expect(other.check("m", 1)).rejects.toMatchObject({ code: "unavailable" });

  expect((await other.control.versions.current("m", 1))?.body.state).toBe("checking");
  await other.close();
});

test("a job for a version that does not exist is done at once", async () => {
  expect(await weir.check("nobody", 1)).toBeUndefined();
});
