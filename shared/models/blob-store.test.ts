import { randomBytes } from "node:crypto";
import { request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startS3, type TestS3 } from "../../test/harness/s3.ts";
import { sha256Hex } from "../base/hash.ts";
import { type BlobStore, type Content, partsOf, type ReadPart } from "./blob-store.ts";
import { blobKey, incomingKey, PART_BYTES } from "./version.ts";

let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.close());

const { signal } = new AbortController();
const contentOf = (bytes: Uint8Array): Content => ({ sha256: sha256Hex(bytes), bytes: bytes.length });

async function upload(blobs: BlobStore, bytes: Uint8Array, parts = partsOf(bytes.length)) {
  for (const part of parts) {
    const url = await blobs.presignPart(contentOf(bytes), part);
    const { statusCode } = await request(url, { method: "PUT", body: bytes.subarray(part.offset, part.offset + part.bytes) });
    expect(statusCode).toBe(200);
  }
}

async function readParts(blobs: BlobStore, content: Content): Promise<ReadPart[]> {
  const parts: ReadPart[] = [];
  for (const { number } of partsOf(content.bytes)) {
    const part = await blobs.readPart(content.sha256, number, signal);
    for await (const chunk of part?.chunks ?? []) expect(chunk.length).toBeGreaterThan(0);
    parts.push({ number, tag: part?.tag ?? "" });
  }
  return parts;
}

async function bytesOf(blobs: BlobStore, content: Content): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await blobs.readBlob(content.sha256, signal)) ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test("a file is cut into parts that cover it, and an empty file has none", () => {
  expect(partsOf(0)).toEqual([]);
  expect(partsOf(PART_BYTES)).toEqual([{ number: 1, offset: 0, bytes: PART_BYTES }]);
  expect(partsOf(2 * PART_BYTES + 1).at(-1)).toEqual({ number: 3, offset: 2 * PART_BYTES, bytes: 1 });
});

test.each([0, 10, PART_BYTES, 2 * PART_BYTES + 3])("%i bytes travel through presigned parts into a blob unchanged", async (size) => {
  const bytes = randomBytes(size);
  const content = contentOf(bytes);

  await upload(s3.blobs, bytes);
  const before = await s3.blobs.has(content);
  const isPromoted = await s3.blobs.promote(content.sha256, await readParts(s3.blobs, content));
  await s3.blobs.removeParts(content.sha256);

  expect([before, isPromoted, await s3.blobs.has(content)]).toEqual([false, true, true]);
  expect((await bytesOf(s3.blobs, content)).equals(bytes)).toBe(true);
  expect([...(await s3.blobs.arrivedParts(content))]).toEqual([]);
});

test("only the parts that arrived in full are counted, so that an upload resumes with the others", async () => {
  const bytes = randomBytes(2 * PART_BYTES + 3);
  const content = contentOf(bytes);

  await upload(s3.blobs, bytes, partsOf(bytes.length).slice(1, 2));
  await s3.put(incomingKey(content.sha256, 3), "2B");
  await s3.put(incomingKey(content.sha256, 4), "a part that the file does not have");

  expect([...(await s3.blobs.arrivedParts(content))]).toEqual([2]);
});

test("what is not there is undefined, false or no error", async () => {
  const content = contentOf(randomBytes(5));

  expect(await s3.blobs.has(content)).toBe(false);
  expect(await s3.blobs.readBlob(content.sha256, signal)).toBeUndefined();
  expect(await s3.blobs.readPart(content.sha256, 1, signal)).toBeUndefined();
  expect(await s3.blobs.promote(content.sha256, [{ number: 1, tag: '"gone"' }])).toBe(false);
  await s3.blobs.removeParts(content.sha256);
});

test("a blob of another size than it should have does not count as there", async () => {
  const content = contentOf(randomBytes(5));
  await s3.put(blobKey(content.sha256), "torn");

  expect(await s3.blobs.has(content)).toBe(false);
});

test("the sweep removes abandoned uploads whole and leaves the others alone", async () => {
  const content = contentOf(randomBytes(10));
  await s3.put(incomingKey(content.sha256, 1), "0123456789");

  const early = await s3.blobs.sweep(Date.now() - 60_000);
  const kept = await s3.blobs.arrivedParts(content);
  const late = await s3.blobs.sweep(Date.now() + 60_000);

  expect([early, kept.size]).toEqual([0, 1]);
  expect(late).toBeGreaterThan(0);
  expect((await s3.blobs.arrivedParts(content)).size).toBe(0);
});

test("a store that cannot be reached is unavailable, not an error of ours", async () => {
  const other = await startS3();
  await other.close();
  const { createBlobStore } = await import("./blob-store.s3.ts");
  const blobs = createBlobStore(other.settings);

  await expect(blobs.has(contentOf(randomBytes(3)))).rejects.toMatchObject({ code: "unavailable" });
  blobs.close();
});
