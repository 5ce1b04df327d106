import type { ReservedRow } from "../../shared/usage/ledger/ledger.ts";
import type { KeptAnswer } from "../../shared/usage/retries/idempotency.ts";
import type { UsageRow } from "../../shared/usage/row.ts";
import type { Deps } from "../deps.ts";
import { CHECKPOINT_TIMEOUT_MS, SETTLE_TIMEOUT_MS } from "../limits.ts";
import { type Asking, admit, type Terms } from "./admit.ts";
import { type Coverage, createCoverage, ROW_LIFE_MS } from "./coverage.ts";
import { assertReceipts, RECEIPT_HEADER, receiptOf } from "./receipt.ts";
import { type Rendered, STREAM_HEADERS, servedHeaders } from "./rendered.ts";
import { type Call, remainingMs, type Served } from "./serve.ts";

/** How far a request has come. */
export type Reached = Served & Pick<UsageRow, "task" | "inputs" | "inputTokens" | "outputTokens" | "computeMs">;
export type Metered = Reached & Pick<UsageRow, "outcome">;

/**
 * How one request is metered, from before its work to its end: the only way to the ledger. Most requests are settled only, by one put before their answer
 * leaves; streams, and whatever else may be retried or has money set aside for it, have a row that is reserved before their work.
 */
export type Meter = {
  /** When a stream's work begins: covers its first output before there is any. */
  readonly prepare: (reached: Reached) => void;
  /** Before a stream's output leaves: undefined if it may at once, else it may when this resolves. */
  readonly cover: (reached: Reached) => Promise<void> | undefined;
  /** Settles a whole answer before it leaves, and answers with its headers. Fails with `unavailable`: then nothing of it may leave. */
  readonly answer: (metered: Metered, rendered: Rendered) => Promise<Answered>;
  /** Settles a stream before its last piece leaves, or what of it was delivered. */
  readonly settle: (metered: Metered, stream?: KeptStream) => Promise<void>;
  /** Of a stream that is about to be settled, signed; undefined where none is wanted. */
  readonly receiptOf: (metered: Metered) => string | undefined;
  /** Whether the answer is kept for a retry. */
  readonly isKept: boolean;
  /** Nothing was delivered, so nothing is billed. */
  readonly void: () => void;
};

/** An answer that may leave. */
export type Answered = Rendered & { readonly headers: Readonly<Record<string, string>> };

/** A whole stream; its body is undefined where it was too large to be kept. */
export type KeptStream = Pick<KeptAnswer, "contentType" | "body">;

export type MeterPlan = Asking & { readonly isStreamed: boolean };

/** Works under a meter. What fails before its answer is not billed; a stream that has begun ends its meter itself. */
export async function underMeter<T>(
  deps: Deps,
  call: Call,
  { work, ...plan }: MeterPlan & { readonly work: (meter: Meter) => Promise<T> },
): Promise<T> {
  const meter = await openMeter(deps, call, plan);
  try {
    return await work(meter);
  } catch (cause) {
    meter.void();
    throw cause;
  }
}

async function openMeter(deps: Deps, call: Call, plan: MeterPlan): Promise<Meter> {
  assertReceipts(deps, call);
  const terms = onceTold(await admit(deps, call, plan));
  if (!isReserved(call, plan, terms)) return settledOnly(deps, call, terms);
  try {
    return await reserve(deps, call, { ...plan, terms });
  } catch (cause) {
    terms.ended?.(undefined);
    throw cause;
  }
}

/**
 * The dearer way, where the cheaper one could lose something: output leaves before the end or may be asked for again, or money is set aside. However long a whole
 * answer takes, one put is enough: its minute is closed 15 minutes after it was over, and none may take so long (`GENERATION_SECONDS_MAX`).
 */
function isReserved(call: Call, { isStreamed }: MeterPlan, { lease }: Terms): boolean {
  return isStreamed || lease !== undefined || call.once !== undefined;
}

function settledOnly(deps: Deps, call: Call, terms: Terms): Meter {
  async function settle(metered: Metered) {
    try {
      await deps.ledger.settle(rowOf(call, terms, metered), SETTLE_TIMEOUT_MS);
      terms.ended?.({ ...metered, servedVersion: metered.version });
    } catch (cause) {
      terms.ended?.(undefined); // a marker follows
      throw cause;
    }
  }
  return {
    isKept: false,
    prepare: () => {},
    cover: () => undefined,
    receiptOf: (metered) => receiptOf(deps, call, rowOf(call, terms, metered)),
    settle,
    async answer(metered, rendered) {
      await settle(metered);
      return answeredBy(metered, rendered, receiptOf(deps, call, rowOf(call, terms, metered)));
    },
    void: () => terms.ended?.(undefined),
  };
}

async function reserve(deps: Deps, call: Call, { target, sizes, terms }: MeterPlan & { readonly terms: Terms }): Promise<Meter> {
  const { task, inputs, choices, outputTokensMax } = sizes(); // refuses what cannot be done, before anything is stored
  const { version } = target;
  const known = { ...identityOf(call, terms), model: version.model, version: version.number, arm: target.arm, task, inputs };
  const timeoutMs = Math.min(SETTLE_TIMEOUT_MS, remainingMs(deps, call));
  const { epoch } = (await call.once?.claim()) ?? { epoch: 1 };
  const row = await deps.ledger.reserve({ ...known, epoch, expiresInMs: ROW_LIFE_MS }, timeoutMs);
  const coverage = createCoverage({ checkpoint: (progress) => row.checkpoint(progress, CHECKPOINT_TIMEOUT_MS), choices, outputTokensMax });
  return reservedMeter(deps, { call, terms, row, coverage });
}

type Reserved = { readonly call: Call; readonly terms: Terms; readonly row: ReservedRow; readonly coverage: Coverage };

function reservedMeter(deps: Deps, { call, terms, row, coverage }: Reserved): Meter {
  const { once } = call;
  const signed = (metered: Metered) => receiptOf(deps, call, rowOf(call, terms, metered));
  /** Kept before it is settled: a row that is settled without its answer could neither be replayed nor asked for anew. */
  async function settle(metered: Metered, kept: KeptAnswer | undefined) {
    coverage.close();
    try {
      if (kept !== undefined) await once?.keep(kept);
      await row.settle(rowOf(call, terms, metered), SETTLE_TIMEOUT_MS);
    } catch (cause) {
      terms.ended?.("unknown");
      throw cause;
    }
    terms.ended?.({ ...metered, servedVersion: metered.version });
  }
  return {
    isKept: once !== undefined,
    receiptOf: signed,
    prepare: (reached) => coverage.prepare(countsOf(reached)),
    cover: (reached) => coverage.cover(countsOf(reached)),
    settle: (metered, stream) => settle(metered, stream && { ...stream, headers: { ...keptHeaders(call, metered), ...STREAM_HEADERS } }),
    async answer(metered, rendered) {
      const answered = answeredBy(metered, rendered, signed(metered));
      await settle(metered, once && keptOf(call, metered, answered));
      return answered;
    },
    void() {
      coverage.close();
      const givenUp = once === undefined ? row.void() : row.release();
      void givenUp.then((isUnbilled) => terms.ended?.(isUnbilled ? undefined : "unknown"));
    },
  };
}

function answeredBy(metered: Metered, rendered: Rendered, receipt: string | undefined): Answered {
  const headers = { ...servedHeaders(metered), ...rendered.headers };
  return { ...rendered, headers: receipt === undefined ? headers : { ...headers, [RECEIPT_HEADER]: receipt } };
}

function keptOf(call: Call, metered: Metered, { contentType, headers, body }: Answered): KeptAnswer {
  return { contentType, headers: { ...keptHeaders(call, metered), ...headers }, body: Buffer.from(body) };
}

/** A replay tells the id of the request that was billed. */
function keptHeaders({ requestId }: Call, metered: Metered): Record<string, string> {
  return { "Weir-Request-Id": requestId, ...servedHeaders(metered) };
}

function countsOf({ version, tier, inputTokens, outputTokens, computeMs }: Reached) {
  return { servedVersion: version, tier, inputTokens, outputTokens, computeMs };
}

function rowOf(call: Call, terms: Terms, { assignedVersion, degraded: _, ...metered }: Metered): UsageRow {
  return { ...metered, ...identityOf(call, terms), version: assignedVersion, servedVersion: metered.version };
}

function identityOf({ requestId, principal, dialect, fingerprint, once }: Call, { priceVersion, lease }: Terms) {
  const { tenant, keyId } = principal;
  return {
    ...{ requestId, tenant, keyId, dialect, fingerprint, priceVersion },
    ...(lease === undefined ? {} : { lease }),
    ...(once === undefined ? {} : { idempotency: once.id }),
  };
}

/** Whoever hears how a request ended hears it once, by its first word. */
function onceTold(terms: Terms): Terms {
  const { ended } = terms;
  if (ended === undefined) return terms;
  let isTold = false;
  return {
    ...terms,
    ended(ending) {
      if (!isTold) ended(ending);
      isTold = true;
    },
  };
}
