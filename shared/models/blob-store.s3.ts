import { createLazyBucket, type OpenBucket, type S3Settings, unlessMissing } from "../aws/client.s3.ts";
import { storeUnavailable, withStore } from "../dynamo/store-trouble.ts";
import { type BlobStore, type Chunks, type Content, type Part, partsOf, type ReadPart, URL_EXPIRES_S } from "./blob-store.ts";
import { runBounded } from "./run-bounded.ts";
import { blobKey, incomingKey, incomingPrefix, manifestKey } from "./version.ts";

type Store = OpenBucket;

const COPIES_AT_ONCE = 8;

/**
 * The blob store on S3. Parts arrive as objects of their own instead of an S3 multipart upload: they are listed with ListObjectsV2, which
 * every engine has (fauxqs has neither ListMultipartUploads nor ListParts), they show in the bucket, and no upload id has to be kept.
 * Intake joins them into one blob by UploadPartCopy, so the bytes do not travel again.
 */
export function createBlobStore(settings: S3Settings): BlobStore & { readonly close: () => void } {
  const { open, close } = createLazyBucket(settings);
  const withS3 = <T>(work: (store: Store) => Promise<T>) => open().then((store) => withStore(() => work(store)));
  return {
    has: (content) => withS3((store) => has(store, content)),
    arrivedParts: (content) => withS3((store) => arrivedParts(store, content)),
    presignPart: (content, part) => withS3((store) => presignPart(store, content.sha256, part)),
    readBlob: (sha256, signal) => withS3(async (store) => (await read(store, { Key: blobKey(sha256) }, signal))?.chunks),
    readPart: (sha256, part, signal) => withS3((store) => read(store, { Key: incomingKey(sha256, part) }, signal)),
    promote: (sha256, parts) => withS3((store) => promote(store, sha256, parts)),
    presignBlob: (sha256) => withS3((store) => presignRead(store, blobKey(sha256))),
    presignManifest: (digest) => withS3((store) => presignRead(store, manifestKey(digest))),
    putManifest: (digest, text) => withS3((store) => put(store, manifestKey(digest), text)),
    removeParts: (sha256) => withS3((store) => removeParts(store, sha256)),
    removeBlob: (sha256) => withS3((store) => remove(store, [blobKey(sha256)])),
    sweep: (beforeMs) => withS3((store) => sweep(store, beforeMs)),
    close,
  };
}

async function has(store: Store, content: Content): Promise<boolean> {
  const head = new store.sdk.HeadObjectCommand({ Bucket: store.bucket, Key: blobKey(content.sha256) });
  const found = await unlessMissing(() => store.client.send(head));
  return found?.ContentLength === content.bytes;
}

async function arrivedParts(store: Store, content: Content): Promise<ReadonlySet<number>> {
  const expected = new Map(partsOf(content.bytes).map((part) => [incomingKey(content.sha256, part.number), part]));
  const arrived = new Set<number>();
  for await (const { key, bytes } of list(store, incomingPrefix(content.sha256))) {
    const part = expected.get(key);
    if (part?.bytes === bytes) arrived.add(part.number);
  }
  return arrived;
}

async function presignPart(store: Store, sha256: string, part: Part): Promise<string> {
  const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
  // The length is signed too, so that the URL takes this part and nothing larger.
  const put = new store.sdk.PutObjectCommand({ Bucket: store.bucket, Key: incomingKey(sha256, part.number), ContentLength: part.bytes });
  return getSignedUrl(store.client, put, { expiresIn: URL_EXPIRES_S });
}

async function presignRead(store: Store, key: string): Promise<string> {
  const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
  return getSignedUrl(store.client, new store.sdk.GetObjectCommand({ Bucket: store.bucket, Key: key }), { expiresIn: URL_EXPIRES_S });
}

async function read(store: Store, at: { Key: string }, signal: AbortSignal): Promise<{ tag: string; chunks: Chunks } | undefined> {
  const get = new store.sdk.GetObjectCommand({ Bucket: store.bucket, ...at });
  const found = await unlessMissing(() => store.client.send(get, { abortSignal: signal }));
  if (found === undefined) return undefined;
  // In Node the SDK answers with a Readable, whose chunks are Buffers; its type also covers browsers.
  return { tag: found.ETag ?? "", chunks: withTrouble(found.Body as Chunks) };
}

/** A connection that breaks in the middle of a body is trouble with the store like any other. */
async function* withTrouble(chunks: Chunks): Chunks {
  try {
    yield* chunks;
  } catch (cause) {
    throw storeUnavailable(cause);
  }
}

async function promote(store: Store, sha256: string, parts: readonly ReadPart[]): Promise<boolean> {
  const [first, ...more] = parts;
  if (first === undefined) return put(store, blobKey(sha256), "").then(() => true);
  const copied = await unlessMissing(() => (more.length === 0 ? copy(store, sha256, first) : join(store, sha256, parts)));
  return copied !== undefined;
}

async function copy(store: Store, sha256: string, part: ReadPart): Promise<true> {
  await store.client.send(
    new store.sdk.CopyObjectCommand({ Bucket: store.bucket, Key: blobKey(sha256), ...sourceOf(store, sha256, part) }),
  );
  return true;
}

async function join(store: Store, sha256: string, parts: readonly ReadPart[]): Promise<true> {
  const { sdk, client } = store;
  const target = { Bucket: store.bucket, Key: blobKey(sha256) };
  const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand(target));
  const upload = { ...target, UploadId };
  try {
    const tags = new Map<number, string | undefined>();
    await runBounded(parts, COPIES_AT_ONCE, async (part) => {
      const copied = await client.send(
        new sdk.UploadPartCopyCommand({ ...upload, PartNumber: part.number, ...sourceOf(store, sha256, part) }),
      );
      tags.set(part.number, copied.CopyPartResult?.ETag);
    });
    const Parts = parts.map(({ number }) => ({ PartNumber: number, ETag: tags.get(number) }));
    await client.send(new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    return true;
  } catch (cause) {
    // If even this fails, the bucket's lifecycle aborts it a day later.
    await client.send(new sdk.AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw cause;
  }
}

function sourceOf(store: Store, sha256: string, part: ReadPart) {
  return { CopySource: `${store.bucket}/${incomingKey(sha256, part.number)}`, CopySourceIfMatch: part.tag };
}

async function put(store: Store, key: string, text: string): Promise<void> {
  const Body = Buffer.from(text);
  // The length is stated, or the SDK takes an empty body for a stream of unknown length.
  await store.client.send(new store.sdk.PutObjectCommand({ Bucket: store.bucket, Key: key, Body, ContentLength: Body.length }));
}

async function removeParts(store: Store, sha256: string): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of list(store, incomingPrefix(sha256))) keys.push(key);
  await remove(store, keys);
}

async function sweep(store: Store, beforeMs: number): Promise<number> {
  const uploads = new Map<string, { keys: string[]; newestMs: number }>();
  for await (const { key, modifiedMs } of list(store, "incoming/")) {
    const file = key.slice(0, key.lastIndexOf("/"));
    const upload = uploads.get(file) ?? { keys: [], newestMs: 0 };
    upload.keys.push(key);
    upload.newestMs = Math.max(upload.newestMs, modifiedMs);
    uploads.set(file, upload);
  }
  const abandoned = [...uploads.values()].filter(({ newestMs }) => newestMs < beforeMs);
  for (const { keys } of abandoned) await remove(store, keys);
  return abandoned.length;
}

const KEYS_PER_DELETE_MAX = 1000;

async function remove(store: Store, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += KEYS_PER_DELETE_MAX) {
    const Objects = keys.slice(start, start + KEYS_PER_DELETE_MAX).map((Key) => ({ Key }));
    await store.client.send(new store.sdk.DeleteObjectsCommand({ Bucket: store.bucket, Delete: { Objects, Quiet: true } }));
  }
}

async function* list(store: Store, prefix: string) {
  const pages = store.sdk.paginateListObjectsV2({ client: store.client }, { Bucket: store.bucket, Prefix: prefix });
  for await (const { Contents = [] } of pages) {
    for (const { Key = "", Size = 0, LastModified } of Contents) yield { key: Key, bytes: Size, modifiedMs: LastModified?.getTime() ?? 0 };
  }
}
