import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { Failure } from "../base/failure.ts";

export type DynamoSettings = {
  readonly region: string;
  /** Names every table: `weir` gives `weir-control`. */
  readonly tablePrefix: string;
  /** An emulator's URL; absent, the Region's own endpoint. */
  readonly endpoint?: string | undefined;
};

/** The SDK's client with the installation's names; the control plane talks through it. */
export type Dynamo = { readonly client: DynamoDBClient; readonly settings: DynamoSettings };

const ATTEMPTS_MAX = 3;
const CONNECT_TIMEOUT_MS = 1_000;
const REQUEST_TIMEOUT_MS = 3_000;

export function createDynamo(settings: DynamoSettings): Dynamo {
  const client = new DynamoDBClient({
    region: settings.region,
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, throwOnRequestTimeout: true },
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
  });
  return { client, settings };
}

/** Does store work for a caller: what the store cannot do now becomes `unavailable`; our own mistakes stay errors. */
export async function withStore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw isStoreTrouble(cause) ? storeUnavailable(cause) : cause;
  }
}

export function storeUnavailable(cause: unknown): Failure {
  return new Failure("unavailable", "The store did not answer in time. Try again.", { retryAfterMs: 1_000, cause });
}

export function isConditionFailed(error: unknown): boolean {
  return error instanceof Error && error.name === "ConditionalCheckFailedException";
}

const OUR_MISTAKES = new Set(["ValidationException", "SerializationException", "ResourceNotFoundException", "AccessDeniedException"]);

/** Throttled, broken or out of reach: the SDK marks service errors with `$fault`, the network's have a code such as ECONNREFUSED. */
function isStoreTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isService = "$fault" in error && !OUR_MISTAKES.has(error.name);
  const isNetwork = "code" in error && typeof error.code === "string" && /^E[A-Z]+$/.test(error.code);
  return isService || isNetwork || error.name === "TimeoutError";
}
