import { type CredentialSource, chainedCredentials } from "../aws/credentials.ts";
import { createSignedJson } from "../aws/signed-json.ts";
import type { Clock } from "../base/clock.ts";
import { Failure } from "../base/failure.ts";
import { storeUnavailable } from "./store-trouble.ts";

type WireTypes = { readonly S: string; readonly N: string; readonly SS: readonly string[] /** In base64. */; readonly B: string };
/** A DynamoDB value in the wire's own form: one type's name, and the value. Weir's tables need no others. */
export type WireValue = {
  [Type in keyof WireTypes]: Pick<WireTypes, Type> & { readonly [Other in Exclude<keyof WireTypes, Type>]?: never };
}[keyof WireTypes];
export type WireItem = Readonly<Record<string, WireValue>>;

/**
 * The stores' client: hand-built JSON, signed, over one pool of connections. The SDK spends 1.6 to 2.3 ms of CPU on a call that costs
 * 0.5 to 0.8 ms here, and is a quarter of what a gateway would load at its start. No retries: its callers have their own rules.
 */
export type LeanDynamo = {
  readonly call: <T>(operation: Operation, input: object, timeoutMs: number) => Promise<T>;
  /** How far this machine's clock is from the store's, as last seen, in milliseconds; the store's clock shows whole seconds. */
  readonly clockSkewMs: () => number;
  readonly close: () => Promise<void>;
};

export type Operation = "BatchWriteItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "GetItem" | "Query" | "Scan" | "DescribeTable";

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

export type LeanSettings = {
  readonly region: string;
  /** An emulator's URL; absent, the Region's own endpoint. */
  readonly endpoint?: string | undefined;
  /** Absent, the SDK's own chain. */
  readonly credentials?: CredentialSource;
  readonly connections?: number;
};

export function createLeanDynamo({ credentials = chainedCredentials(), ...settings }: LeanSettings, clock: Clock): LeanDynamo {
  const signed = createSignedJson({
    ...settings,
    service: "dynamodb",
    targetPrefix: "DynamoDB_20120810",
    contentType: "application/x-amz-json-1.0",
    credentials,
  });
  let skewMs = 0;

  async function call<T>(operation: Operation, input: object, timeoutMs: number): Promise<T> {
    // Signed by the store's clock as far as it is known: it refuses a signature that is minutes off, and then nobody could say why.
    const { status, text, date } = await signed.call(operation, input, { nowMs: clock.nowMs() - skewMs, timeoutMs });
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
