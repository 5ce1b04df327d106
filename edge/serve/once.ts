import { Failure } from "../../shared/base/failure.ts";
import { mayName, parseModelReference } from "../../shared/models/reference.ts";
import type { EarlierRow } from "../../shared/usage/ledger/ledger.ts";
import {
  type Claim,
  type Claimed,
  claimIdOf,
  duplicateIdOf,
  gone,
  inProgress,
  judgeRetry,
  type KeptAnswer,
  keyReused,
  parseIdempotencyKey,
  type StoredAnswer,
  type Verdict,
} from "../../shared/usage/retries/idempotency.ts";
import type { Deps } from "../deps.ts";
import type { EdgeContext } from "../env.ts";
import { tell } from "../http.ts";
import { tellAll, type Write } from "./rendered.ts";
import type { Call } from "./serve.ts";

export const IDEMPOTENCY_HEADER = "Idempotency-Key";
const REPLAYED_HEADER = "Idempotent-Replayed";

/** That a request is answered once, however often it is asked: what its meter needs for that. */
export type Once = {
  /** The item's own key, which the row names. */
  readonly id: string;
  /** Right before the row is reserved: claims the key for this request, and annuls what an earlier one has left. Fails with `in_progress`. */
  readonly claim: () => Promise<{ readonly epoch: number }>;
  /** Before the row is settled: keeps the answer. Fails with `unavailable` if another attempt has taken over, and then nothing may be answered. */
  readonly keep: (answer: KeptAnswer) => Promise<void>;
};

export type OncePlan = {
  readonly call: Call;
  /** How this dialect puts an answer's body on the wire. */
  readonly write: Write;
  readonly run: (call: Call) => Promise<Response>;
};

/**
 * Answers a request, or gives the answer again that an earlier one with the same key got. Looked up before any work and claimed right before it,
 * so that a request that is refused stores nothing and its key can be used again.
 */
export async function answerOnce(deps: Deps, c: EdgeContext, { call, write, run }: OncePlan): Promise<Response> {
  const asked = askedOnce(c, call);
  // A replay is no way around what a key may name: who works on the request refuses it as ever.
  if (asked === undefined || !mayName(call.principal.models, parseModelReference(call.reference))) return run(call);
  const looked = await look(deps, call, asked);
  if (looked.kind === "replay") return replay(deps, c, { answer: looked.answer, write });
  // What is kept for a retry is finished although its caller leaves: the retry is who it is for.
  return run({ ...call, once: onceOf(deps, call, looked), signal: new AbortController().signal });
}

type Asked = {
  readonly id: string;
  /** How long an earlier request counts, from when it was first seen, and until it has ended; absent, for as long as it is known. */
  readonly windowMs?: number;
};

function askedOnce(c: EdgeContext, { principal, fingerprint }: Call): Asked | undefined {
  const header = c.req.header("idempotency-key");
  if (header !== undefined) return { id: claimIdOf(principal.tenant, parseIdempotencyKey(header)) };
  const { duplicateWindowMs } = principal;
  return duplicateWindowMs === undefined ? undefined : { id: duplicateIdOf(principal.tenant, fingerprint), windowMs: duplicateWindowMs };
}

type Looked =
  | { readonly kind: "replay"; readonly answer: StoredAnswer }
  | { readonly kind: "run"; readonly id: string; readonly before: Claimed | undefined; readonly annul: () => Promise<boolean> };

async function look(deps: Deps, { principal, fingerprint }: Call, { id, windowMs = Number.POSITIVE_INFINITY }: Asked): Promise<Looked> {
  const fresh = { kind: "run", id, annul: async () => true } as const;
  const found = await deps.idempotency.find(id);
  const nowMs = deps.clock.nowMs();
  if (found === undefined) return { ...fresh, before: found };
  const earlier = { requestId: found.requestId, tenant: principal.tenant };
  if (found.fingerprint !== fingerprint) throw keyReused();
  const row = await deps.ledger.findEarlier(earlier);
  const claimed = await withItsAnswer(deps, found, row);
  const verdict = judgeRetry({ claimed, row, nowMs });
  // The window is over, and so is who was in it: the next is a request of its own. One that is still worked on would lose its claim, and with it its answer.
  if (nowMs - claimed.claimedAtMs > windowMs && !isInProgress(verdict)) return { ...fresh, before: claimed };
  switch (verdict.kind) {
    case "refuse":
      throw verdict.failure;
    case "replay":
      return verdict;
    case "run":
      return { ...fresh, before: claimed };
    case "take over":
      return { ...fresh, before: claimed, annul: () => deps.ledger.annul(earlier, row) };
  }
}

/** An answer is kept before its row is settled: who finds it settled, and had looked for the answer before it was kept, looks again. */
async function withItsAnswer(deps: Deps, found: Claimed, row: EarlierRow): Promise<Claimed> {
  if (row.state !== "settled" || found.answer !== undefined) return found;
  const later = await deps.idempotency.find(found.id);
  if (later?.requestId !== found.requestId) throw inProgress();
  return later;
}

function isInProgress(verdict: Verdict): boolean {
  return verdict.kind === "refuse" && verdict.failure.code === "in_progress";
}

function onceOf(deps: Deps, call: Call, looked: Extract<Looked, { kind: "run" }>): Once {
  const { requestId, fingerprint } = call;
  const { id, before } = looked;
  const claim: Claim = { id, requestId, fingerprint, epoch: (before?.epoch ?? 0) + 1, claimedAtMs: deps.clock.nowMs() };
  return {
    id,
    async claim() {
      // A row that is not as it was found any more is somebody's who works on it.
      if (!(await looked.annul())) throw inProgress();
      if (!(await deps.idempotency.claim(claim, before))) throw inProgress();
      return claim;
    },
    async keep(answer) {
      if (await deps.idempotency.keep(claim, answer)) return;
      const cause = new Error("the claim on the key is another request's by now");
      throw new Failure("unavailable", "This request was taken over by an equal one.", { cause });
    },
  };
}

async function replay(deps: Deps, c: EdgeContext, { answer, write }: { answer: StoredAnswer; write: Write }): Promise<Response> {
  const body = await deps.idempotency.bodyOf(answer);
  if (body === undefined) throw gone();
  tellAll(c, answer.headers);
  tell(c, REPLAYED_HEADER, "true");
  return write(c, body, answer.contentType);
}
