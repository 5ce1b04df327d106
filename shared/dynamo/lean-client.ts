import { createSignedJson } from "../aws/signed-json.ts";
import type { Clock } from "../base/clock.ts";
import { Failure } from "../base/failure.ts";
import { type Dynamo, storeUnavailable } from "./client.ts";

/** A DynamoDB value in the wire's own form, bytes in base64; the hot path needs no others. */
export type WireValue = { readonly S: string } | { readonly N: string } | { readonly SS: readonly string[] } | { readonly B: string };
export type WireItem = Readonly<Record<string, WireValue>>;

/**
 * The hot path's client: hand-built JSON, signed, over one pool of connections. The SDK spends 1.6 to 2.3 ms of CPU on a call
 * that costs 0.5 to 0.8 ms here, and this path writes one for every few requests. No retries: its callers have their own rules.
 */
export type LeanDynamo = {
  readonly call: <T>(operation: Operation, input: object, timeoutMs: number) => Promise<T>;
  /** How far this machine's clock is from the store's, as last seen, in milliseconds; the store's clock shows whole seconds. */
  readonly clockSkewMs: () => number;
  readonly close: () => Promise<void>;
};

export type Operation = "BatchWriteItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "GetItem" | "Query" | "DescribeTable";

/** The service said no: `name` is its exception's name. */
export class DynamoRefusal extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }

  get isConditionFailed() {
    return this.name === "ConditionalCheckFailedException";
  }
}

const DATE_RESOLUTION_MS = 1_000;

export function createLeanDynamo(dynamo: Dynamo, clock: Clock): LeanDynamo {
  const { endpoint, region } = dynamo.settings;
  const signed = createSignedJson({
    service: "dynamodb",
    region,
    targetPrefix: "DynamoDB_20120810",
    contentType: "application/x-amz-json-1.0",
    credentials: dynamo.client.config.credentials,
    endpoint,
  });
  let skewMs = 0;

  async function call<T>(operation: Operation, input: object, timeoutMs: number): Promise<T> {
    const { status, text, date } = await signed.call(operation, input, { nowMs: clock.nowMs(), timeoutMs });
    skewMs = clockSkewOf(date, clock.nowMs()) ?? skewMs;
    if (status !== 200) throw refusalOf(text, status);
    return JSON.parse(text) as T; // the shapes of DynamoDB's own answers, which its API fixes
  }

  return { call, clockSkewMs: () => skewMs, close: () => signed.close() };
}

/** Runs lean calls for a caller: a refused condition and our own mistakes stay what they are, all else is `unavailable`. */
export async function withLeanStore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const isKnown =
      cause instanceof Failure || (cause instanceof DynamoRefusal && (cause.isConditionFailed || cause.name === "ValidationException"));
    throw isKnown ? cause : storeUnavailable(cause);
  }
}

function refusalOf(text: string, status: number): DynamoRefusal {
  try {
    const body = JSON.parse(text) as { __type?: string; message?: string; Message?: string }; // the form of DynamoDB's errors
    return new DynamoRefusal(body.__type?.split("#").at(-1) ?? `Http${status}`, body.message ?? body.Message ?? text.slice(0, 500));
  } catch {
    return new DynamoRefusal(`Http${status}`, text.slice(0, 500));
  }
}

/** How far a clock is ahead of a `Date` header, in milliseconds; undefined without one. */
export function clockSkewOf(date: string | undefined, nowMs: number): number | undefined {
  const storeMs = date === undefined ? Number.NaN : Date.parse(date);
  if (Number.isNaN(storeMs)) return undefined;
  // The header is cut to whole seconds, so anything within the second is no skew at all.
  const aheadMs = nowMs - storeMs;
  return aheadMs >= 0 && aheadMs < DATE_RESOLUTION_MS ? 0 : aheadMs;
}
