import { createLazyBucket, type S3Settings, unlessMissing } from "../../aws/client.s3.ts";
import { withStore } from "../../dynamo/store-trouble.ts";
import { KEPT_BODIES_FOLDER, type KeptBodies } from "./idempotency-store.dynamo.ts";

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

/** For stores without lifecycles: deletes bodies that were written before a time, `objectsMax` looked at; goes on after `cursor`. */
export function createBodyTidier(settings: S3Settings) {
  const { open, close } = createLazyBucket(settings, REQUEST_TIMEOUT_MS);
  const removeBefore = (atMs: number, { objectsMax, cursor }: { readonly objectsMax: number; readonly cursor?: string | undefined }) =>
    withStore(async () => {
      const { sdk, client, bucket: Bucket } = await open();
      const asked = {
        Bucket,
        Prefix: `${KEPT_BODIES_FOLDER}/`,
        MaxKeys: objectsMax,
        ...(cursor === undefined ? {} : { StartAfter: cursor }),
      };
      const { Contents = [], IsTruncated } = await client.send(new sdk.ListObjectsV2Command(asked));
      const old = Contents.filter(({ LastModified }) => LastModified !== undefined && LastModified.getTime() < atMs);
      for (const { Key } of old) await client.send(new sdk.DeleteObjectCommand({ Bucket, Key }));
      return { removed: old.length, cursor: IsTruncated ? Contents.at(-1)?.Key : undefined };
    });
  return { removeBefore, close };
}
