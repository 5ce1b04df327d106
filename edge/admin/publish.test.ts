import { afterAll, beforeAll, expect, test } from "vitest";
import { sha256Hex } from "../../shared/base/hash.ts";
import type { BlobStore } from "../../shared/models/blob-store.ts";
import { blobKey, incomingKey } from "../../shared/models/version.ts";
import { startS3, type TestS3 } from "../../test/harness/s3.ts";
import { missingOf } from "./publish.ts";

let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(() => s3.close());

test("a file that another model's check makes a blob of between two looks is not missing", async () => {
  const text = "the same tokenizer";
  const content = { sha256: sha256Hex(text), bytes: text.length };
  await s3.put(incomingKey(content.sha256, 1), text);
  const blobs: BlobStore = {
    ...s3.blobs,
    async arrivedParts(asked) {
      await s3.put(blobKey(content.sha256), text);
      await s3.blobs.removeParts(content.sha256);
      return s3.blobs.arrivedParts(asked);
    },
  };

  expect(await missingOf(blobs, [content])).toEqual([]);
});

test("a file that nobody has sent is missing, with its parts", async () => {
  const content = { sha256: sha256Hex("never sent"), bytes: 10 };

  expect(await missingOf(s3.blobs, [content])).toEqual([{ content, parts: [{ number: 1, offset: 0, bytes: 10 }] }]);
});
