import { createLazyBucket, type S3Settings, unlessMissing } from "../aws/client.s3.ts";
import { withStore } from "../dynamo/client.ts";
import type { KeptBodies } from "./idempotency-store.dynamo.ts";

/** An answer of some megabytes is there in a tenth of it. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Bodies of kept answers in the records' bucket, whose lifecycle deletes them after a day. */
export function createKeptBodies(settings: S3Settings): KeptBodies & { readonly close: () => void } {
  const { open, close } = createLazyBucket(settings, REQUEST_TIMEOUT_MS);
  return {
    put: (Key, bytes) =>
      withStore(async () => {
        const { sdk, client, bucket: Bucket } = await open();
        await client.send(new sdk.PutObjectCommand({ Bucket, Key, Body: bytes, ContentLength: bytes.byteLength }));
      }),
    get: (Key) =>
      withStore(async () => {
        const { sdk, client, bucket: Bucket } = await open();
        const found = await unlessMissing(() => client.send(new sdk.GetObjectCommand({ Bucket, Key })));
        return found?.Body?.transformToByteArray();
      }),
    close,
  };
}
