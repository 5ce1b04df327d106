import { GetObjectCommand, NoSuchKey, S3Client } from "@aws-sdk/client-s3";
import { withStore } from "../../dynamo/store-trouble.ts";

export type Chunks = AsyncIterable<Uint8Array>;

/** The bucket of checked content, for reading. */
export type Artefacts = {
  /** An object's bytes, or `undefined` if there is none. Fails with `unavailable` if the store does not answer. */
  readonly read: (key: string) => Promise<Chunks | undefined>;
  readonly close: () => void;
};

const ATTEMPTS_MAX = 3;
const CONNECT_TIMEOUT_MS = 2_000;
const HEADERS_TIMEOUT_MS = 10_000;
const SOCKET_IDLE_TIMEOUT_MS = 30_000;

export function createArtefacts(settings: { region: string; bucket: string; endpoint: string | undefined }): Artefacts {
  const client = new S3Client({
    region: settings.region,
    maxAttempts: ATTEMPTS_MAX,
    // Content is hashed here in any case.
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: HEADERS_TIMEOUT_MS,
      socketTimeout: SOCKET_IDLE_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint, forcePathStyle: true }),
  });
  return {
    read: (Key) =>
      withStore(async () => {
        const found = await client.send(new GetObjectCommand({ Bucket: settings.bucket, Key })).catch(unlessMissing);
        // In Node the SDK answers with a Readable, whose chunks are Buffers; its type also covers browsers.
        return found?.Body as Chunks | undefined;
      }),
    close: () => client.destroy(),
  };
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof NoSuchKey) return undefined;
  throw error;
}
