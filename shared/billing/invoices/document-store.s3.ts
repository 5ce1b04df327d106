import { createLazyBucket, type S3Settings, unlessMissing } from "../../aws/client.s3.ts";
import { withStore } from "../../dynamo/store-trouble.ts";
import type { DocumentRemover, DocumentStore } from "./document-store.ts";

const REQUEST_TIMEOUT_MS = 30_000;

/** Documents in the records bucket, below `invoices/`. */
export function createDocumentStore(settings: S3Settings): DocumentStore & DocumentRemover & { readonly close: () => void } {
  const { open, close } = createLazyBucket(settings, REQUEST_TIMEOUT_MS);
  return {
    close,
    put: (Key, bytes, ContentType) =>
      withStore(async () => {
        const { sdk, client, bucket: Bucket } = await open();
        await client.send(new sdk.PutObjectCommand({ Bucket, Key, Body: bytes, ContentType }));
      }),
    get: (Key) =>
      withStore(async () => {
        const { sdk, client, bucket: Bucket } = await open();
        const found = await unlessMissing(() => client.send(new sdk.GetObjectCommand({ Bucket, Key })));
        return found?.Body?.transformToByteArray();
      }),
    remove: (Key) =>
      withStore(async () => {
        const { sdk, client, bucket: Bucket } = await open();
        await client.send(new sdk.DeleteObjectCommand({ Bucket, Key }));
      }),
  };
}
