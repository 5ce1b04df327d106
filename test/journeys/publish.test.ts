import { randomBytes } from "node:crypto";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type FolderToPublish, type PublishStep, publishFolder } from "../../shared/clients/publish.ts";
import type { Upload } from "../../shared/models/publication.ts";
import { blobKey, incomingKey, PART_BYTES } from "../../shared/models/version.ts";
import { offerFolder, startPublishing, type TestPublishing } from "../harness/publishing.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures");
const SENTIMENT = join(FIXTURES, "models/tiny-bert-sentiment");
const ANSWERS_IN_TIME = { timeout: 20_000, interval: 50 };

let weir: TestPublishing;
beforeAll(async () => {
  weir = await startPublishing();
});
afterAll(() => weir.close());

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-folder-"));
  await cp(SENTIMENT, folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

function publish(model: string, order: Partial<FolderToPublish> = {}, onStep: (step: PublishStep) => void = () => {}) {
  return publishFolder(weir.models, { model, folder, pool: "cpu", ...order }, onStep);
}

const offerOf = (root: string) => offerFolder(weir.s3, root);

async function stateOf(model: string, number = 1) {
  const { body, revision } = (await weir.control.versions.current(model, number)) ?? {};
  return { state: body?.state, reason: body?.state === "rejected" ? body.reason : undefined, revision };
}

test("a folder becomes version 1, ready, with all of the model's traffic", async () => {
  const steps = new Set<string>();

  const { version, bytesSent } = await publish("sentiment", {}, (step) => steps.add(step.kind));

  expect(version).toMatchObject({
    number: 1,
    state: "ready",
    facts: { head: "classify", family: "bert", labels: ["NEGATIVE", "POSITIVE"] },
  });
  expect(bytesSent).toBeGreaterThan(400_000);
  expect(steps).toEqual(new Set(["hashing", "sending", "checking"]));
  expect(await weir.models.show("sentiment")).toMatchObject({ live: 1, tenants: "*", revision: { number: 1 } });
});

test("the same content again is the version that exists, and nothing is sent or stored", async () => {
  const first = await publish("again");

  const second = await publish("again");

  expect(second).toEqual({ version: first.version, bytesSent: 0 });
  expect((await weir.models.versions("again", {})).items).toHaveLength(1);
});

test("the same folder with another dtype is another version, of bytes that are there already", async () => {
  const root = join(FIXTURES, "models/tiny-bert-embed");
  await publish("dtypes", { folder: root });

  const { version, bytesSent } = await publish("dtypes", { folder: root, dtype: "q8" });

  expect(version).toMatchObject({ number: 2, state: "ready", placement: { dtype: "q8" }, facts: { head: "embed" } });
  expect(bytesSent).toBe(0);
  expect((await weir.models.show("dtypes")).live).toBe(1);
});

test("weights beside the graph, an empty file, a file of several parts and two files of one content go along", async () => {
  await cp(join(FIXTURES, "models/tiny-bert-external"), folder, { recursive: true, force: true });
  await writeFile(join(folder, "empty.txt"), "");
  await writeFile(join(folder, "large.bin"), randomBytes(2 * PART_BYTES + 5));
  await cp(join(folder, "large.bin"), join(folder, "twin.bin"));

  const { version, bytesSent } = await publish("parts");

  expect(version).toMatchObject({ state: "ready" });
  expect(bytesSent).toBeLessThan(2 * (2 * PART_BYTES + 5));
});

test("a publication that was cut off goes on where it stopped", async () => {
  await writeFile(join(folder, "large.bin"), randomBytes(4 * PART_BYTES));
  const cutOff = publish("resumed", {}, (step) => {
    if (step.kind === "sending" && step.bytesDone > PART_BYTES) throw new Error("the publisher was killed");
  });
  await expect(cutOff).rejects.toThrow("the publisher was killed");
  expect(await weir.control.versions.current("resumed", 1)).toBeUndefined();

  const { version, bytesSent } = await publish("resumed");

  expect(version.state).toBe("ready");
  expect(bytesSent).toBeLessThanOrEqual(3 * PART_BYTES);
});

test("bytes that are not what was announced are rejected and thrown away, and publishing again repairs the version", async () => {
  const offer = await offerOf(folder);
  const graph = offer.files.find(({ path }) => path === "onnx/model.onnx");
  await weir.s3.put(incomingKey(graph?.sha256 ?? "", 1), randomBytes(graph?.bytes ?? 0));
  await weir.s3.blobs.removeBlob(graph?.sha256 ?? "");

  await weir.models.makeVersion("swapped", offer);
  await vi.waitFor(async () => expect((await stateOf("swapped")).state).toBe("rejected"), ANSWERS_IN_TIME);
  const { reason } = await stateOf("swapped");
  const { version } = await publish("swapped");

  expect(reason).toMatch(/^onnx\/model\.onnx is not what was announced: the bytes that arrived have SHA-256 [0-9a-f]{64}, not /);
  expect(version).toMatchObject({ number: 1, state: "ready", revision: { number: 4 } });
});

test("a trusted blob that has been damaged is never served from, and publishing again replaces it", async () => {
  const { version } = await publish("rotten");
  const graph = version.state === "ready" ? version.files.find(({ path }) => path === "onnx/model.onnx") : undefined;
  await weir.s3.put(blobKey(graph?.sha256 ?? ""), randomBytes(graph?.bytes ?? 0));
  await writeFile(join(folder, "note.txt"), "another version of the same graph");

  await expect(publish("rotten")).rejects.toThrow("onnx/model.onnx was damaged in the store");

  expect((await publish("rotten")).version).toMatchObject({ number: 2, state: "ready" });
});

test("a torn blob is replaced by the parts that its publisher has sent for it", async () => {
  const offer = await offerOf(folder);
  const graph = offer.files.find(({ path }) => path === "onnx/model.onnx");
  await weir.s3.put(blobKey(graph?.sha256 ?? ""), "torn");

  const { version } = await publish("torn");

  expect(version).toMatchObject({ number: 1, state: "ready" });
});

test.each([
  ["bad-labels", /config\.json names 5 labels, and the graph's logits have 2/],
  ["bad-vocab", /tokenizer\.json: it knows token ids up to \d+, and the model has 1200 word embeddings/],
  ["bad-truncated", /onnx\/model\.onnx cannot be read: it is not a whole ONNX graph/],
  ["bad-external-escape", /etc\/passwd', which leaves its folder/],
])("%s is rejected by intake whatever its publisher checked, and no split points to it", async (name, reason) => {
  await weir.models.makeVersion(name, await offerOf(join(FIXTURES, "bad-models", name)));
  await vi.waitFor(async () => expect((await stateOf(name)).state).not.toBe("checking"), ANSWERS_IN_TIME);

  const rejected = await stateOf(name);

  expect(rejected.state).toBe("rejected");
  expect(rejected.reason).toMatch(reason);
  expect(rejected.reason).not.toMatch(/\n|\bat \/|weir-check|node:/);
  expect((await weir.models.show(name)).live).toBeUndefined();
});

test("a model that never ends is stopped by the time limit, and others become ready meanwhile", async () => {
  const bomb = publish("bomb-time", { folder: join(FIXTURES, "bad-models/bomb-time") });
  const bombEnds = expect(bomb).rejects.toThrow(
    "bomb-time@1 was rejected: The model did not load and answer within 6 s of processor time.",
  );
  await vi.waitFor(async () => expect((await stateOf("bomb-time")).state).toBe("checking"), ANSWERS_IN_TIME);

  const { version } = await publish("beside-a-bomb");

  expect(version.state).toBe("ready");
  expect((await stateOf("bomb-time")).state).toBe("checking");
  await bombEnds;
}, 60_000);

test("what has not arrived whole makes no version, and nothing is stored", async () => {
  await writeFile(join(folder, "note.txt"), randomBytes(20));
  const { files, placement } = await offerOf(folder);
  await weir.s3.blobs.removeParts(files.find(({ path }) => path === "note.txt")?.sha256 ?? "");

  const answer = await weir.fetch("/admin/models/unsent/versions", { files, placement });

  expect(answer).toMatchObject({
    status: 409,
    json: { error: { code: "conflict", message: expect.stringContaining("1 files have not arrived") } },
  });
  expect((await weir.fetch("/admin/models/unsent")).status).toBe(404);
});

test("ten publishers of one content make one version, and ten of different contents make ten numbers without a gap", async () => {
  const offer = await offerOf(folder);
  const others: Upload[] = [];
  for (let each = 0; each < 9; each += 1) {
    await writeFile(join(folder, "note.txt"), `note ${each}`);
    others.push(await offerOf(folder));
  }

  const same = await Promise.all(Array.from({ length: 10 }, () => weir.models.makeVersion("crowd", offer)));
  const different = await Promise.all(others.map((other) => weir.models.makeVersion("crowd", other)));

  expect(new Set(same.map(({ number }) => number))).toEqual(new Set([1]));
  expect(different.map(({ number }) => number).sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
});
