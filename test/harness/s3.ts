import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { buildApp } from "fauxqs";
import type { S3Settings } from "../../shared/aws/client.s3.ts";
import { createBlobStore } from "../../shared/models/blob-store.s3.ts";
import { PART_BYTES } from "../../shared/models/version.ts";

export type TestS3 = {
  readonly settings: S3Settings;
  /** A second bucket, where answers and documents are kept. */
  readonly recordsBucket: string;
  readonly blobs: ReturnType<typeof createBlobStore>;
  /** Writes an object behind the store's back. */
  readonly put: (key: string, bytes: Uint8Array | string) => Promise<void>;
  /** Stops the server; what it held is gone. */
  readonly close: () => Promise<void>;
};

/** A real S3 engine in memory, in this process, with an empty bucket. */
export async function startS3(): Promise<TestS3> {
  // fauxqs' own starter listens on all interfaces; its app listens where it is told.
  const app = buildApp({ logger: false });
  const endpoint = await app.listen({ host: "127.0.0.1", port: 0 });
  const settings = { region: "eu-central-1", bucket: "weir-models", endpoint };
  const client = new S3Client({ ...settings, forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" });
  const recordsBucket = "weir-records";
  for (const Bucket of [settings.bucket, recordsBucket]) await client.send(new CreateBucketCommand({ Bucket }));
  const blobs = createBlobStore(settings);
  return {
    settings,
    recordsBucket,
    blobs,
    put: (key, bytes) => put(client, { Bucket: settings.bucket, Key: key }, Buffer.from(bytes)),
    close: async () => {
      blobs.close();
      client.destroy();
      await app.close();
    },
  };
}

/** In parts where it must be: fauxqs takes no body above 11 MiB. */
async function put(client: S3Client, object: { Bucket: string; Key: string }, bytes: Buffer): Promise<void> {
  if (bytes.length <= PART_BYTES) return void (await client.send(new PutObjectCommand({ ...object, Body: bytes })));
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
  const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
  for (let start = 0; start < bytes.length; start += PART_BYTES) {
    const part = { ...object, UploadId, PartNumber: Parts.length + 1, Body: bytes.subarray(start, start + PART_BYTES) };
    const { ETag } = await client.send(new UploadPartCommand(part));
    Parts.push({ ETag, PartNumber: part.PartNumber });
  }
  await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts } }));
}
