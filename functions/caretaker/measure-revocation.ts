import type { Clock } from "../../shared/base/clock.ts";
import type { Change, RevisionLog } from "../../shared/dynamo/revision-log.ts";
import { type Key, type KeyMint, makeKey, rotateKey } from "../../shared/keys/key.ts";
import type { RevocationMeasurement } from "../../shared/keys/revocation.ts";
import { OPERATORS } from "../../shared/tenants/tenant.ts";

/** What a gateway says to a key: taken, refused, or nothing that tells which. */
export type Probe = (key: string) => Promise<"accepted" | "refused" | "unclear">;

export type CanaryDeps = {
  readonly keys: RevisionLog<Key>;
  readonly mint: KeyMint;
  readonly clock: Clock;
  readonly probe: Probe;
  readonly wait: (ms: number) => Promise<unknown>;
};

/** One key for ever, with a new secret each time: keys are not deleted, and a thousand dead ones would hide the living. */
export const CANARY_ID = "RevocationCanary";
const POLL_MS = 250;
/** What was refused this often in a row is refused everywhere: behind one address there may be several gateways. */
const REFUSALS_IN_A_ROW = 8;
/** The key's end of the time before may still be cached, up to the promised age. */
const ACCEPTANCE_TIMEOUT_MS = 40_000;
const REFUSAL_TIMEOUT_MS = 60_000;
/** A canary that dies in the middle leaves no key behind. */
const KEY_LIFE_MS = 5 * 60_000;

/** Makes a key, uses it, revokes it, and says how long it was still taken. */
export async function measureRevocation(deps: CanaryDeps, signal: AbortSignal): Promise<RevocationMeasurement> {
  const { clock } = deps;
  const text = await issue(deps);
  const isKnown = await until(deps, { timeoutMs: ACCEPTANCE_TIMEOUT_MS, signal }, async () => (await deps.probe(text)) === "accepted");
  const revokedAtMs = await revoke(deps);
  if (!isKnown) return { at: isoOf(revokedAtMs), problem: "a new key was not taken, so that nothing could be measured" };
  let lastAcceptedAtMs = revokedAtMs;
  let refusals = 0;
  const isRefused = await until(deps, { timeoutMs: REFUSAL_TIMEOUT_MS, signal }, async () => {
    const said = await deps.probe(text);
    if (said === "accepted") lastAcceptedAtMs = clock.nowMs();
    if (said !== "unclear") refusals = said === "refused" ? refusals + 1 : 0;
    return refusals >= REFUSALS_IN_A_ROW;
  });
  const measured = { at: isoOf(clock.nowMs()), acceptedForMs: lastAcceptedAtMs - revokedAtMs };
  return isRefused ? measured : { ...measured, problem: `it was not refused ${REFUSALS_IN_A_ROW} times in a row within a minute` };
}

/** The canary's key, valid and with a secret that nobody has seen. */
async function issue({ keys, mint, clock }: CanaryDeps): Promise<string> {
  const current = await keys.current(CANARY_ID);
  const { key: first } = makeKey(mint, { tenant: OPERATORS, name: "revocation canary", scopes: ["infer"] });
  const expiresAt = isoOf(clock.nowMs() + KEY_LIFE_MS);
  const { key, text } = rotateKey(mint, { ...first, id: CANARY_ID, expiresAt }, clock.nowMs());
  const { previous: _, ...body } = key; // a secret that nobody ever had
  await keys.append(CANARY_ID, current?.revision ?? 0, { body, change: changeOf(clock, "measures revocation") });
  return text;
}

/** Answers when the store had acknowledged it. */
async function revoke({ keys, clock }: CanaryDeps): Promise<number> {
  const current = await keys.current(CANARY_ID);
  if (current === undefined) throw new Error("the canary's key is gone while it is being used");
  const body = { ...current.body, isRevoked: true };
  await keys.append(CANARY_ID, current.revision, { body, change: changeOf(clock, "measures revocation") });
  return clock.nowMs();
}

async function until(
  { clock, wait }: CanaryDeps,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  isSo: () => Promise<boolean>,
): Promise<boolean> {
  const endsAtMs = clock.nowMs() + timeoutMs;
  while (!signal.aborted && clock.nowMs() < endsAtMs) {
    if (await isSo()) return true;
    await wait(POLL_MS);
  }
  return false;
}

function changeOf(clock: Clock, why: string): Change {
  return { by: "caretaker", why, atMs: clock.nowMs() };
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
