import type { S3Client } from "@aws-sdk/client-s3";

export type S3Settings = {
  readonly region: string;
  readonly bucket: string;
  /** An emulator's URL; absent, the Region's own endpoint. */
  readonly endpoint?: string | undefined;
};

type Sdk = typeof import("@aws-sdk/client-s3");
/** A bucket, with the SDK that was loaded for it. */
export type OpenBucket = { readonly sdk: Sdk; readonly client: S3Client; readonly bucket: string };

const ATTEMPTS_MAX = 3;
const CONNECT_TIMEOUT_MS = 2_000;
/** Until the headers of an answer; S3 may take this long to join thousands of parts. */
const REQUEST_TIMEOUT_MS = 60_000;
const SOCKET_IDLE_TIMEOUT_MS = 30_000;

/** A bucket that is opened when it is first needed: the SDK takes 80 ms to load, and the gateway listens before that. */
export function createLazyBucket(settings: S3Settings, requestTimeoutMs = REQUEST_TIMEOUT_MS) {
  let opened: Promise<OpenBucket> | undefined;
  return {
    open(): Promise<OpenBucket> {
      opened ??= openBucket(settings, requestTimeoutMs);
      return opened;
    },
    close: () => void opened?.then(({ client }) => client.destroy()),
  };
}

async function openBucket(settings: S3Settings, requestTimeout: number): Promise<OpenBucket> {
  const sdk = await import("@aws-sdk/client-s3");
  const client = new sdk.S3Client({
    region: settings.region,
    maxAttempts: ATTEMPTS_MAX,
    // With the default (WHEN_SUPPORTED) a presigned PUT would carry the checksum of an empty body.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout,
      socketTimeout: SOCKET_IDLE_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint, forcePathStyle: true }),
  });
  return { sdk, client, bucket: settings.bucket };
}

const GONE = new Set(["NotFound", "NoSuchKey", "PreconditionFailed"]);

/** What is not there, or not any more as it was read, is an answer and no error. */
export async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof Error && GONE.has(cause.name)) return undefined;
    throw cause;
  }
}
