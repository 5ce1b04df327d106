import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { buildApp } from "fauxqs";
import { createBlobStore, type S3Settings } from "../../shared/models/blob-store.s3.ts";

export type TestS3 = {
  readonly settings: S3Settings;
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
  await client.send(new CreateBucketCommand({ Bucket: settings.bucket }));
  const blobs = createBlobStore(settings);
  return {
    settings,
    blobs,
    put: async (key, bytes) => void (await client.send(new PutObjectCommand({ Bucket: settings.bucket, Key: key, Body: bytes }))),
    close: async () => {
      blobs.close();
      client.destroy();
      await app.close();
    },
  };
}
