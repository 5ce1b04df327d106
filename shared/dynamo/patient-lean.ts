import { setTimeout as sleep } from "node:timers/promises";
import { DynamoRefusal, type LeanDynamo } from "./lean-client.ts";
import { storeUnavailable } from "./store-trouble.ts";

const ATTEMPTS_MAX = 6;
const BACK_OFF_MS = { first: 50, most: 2_000 };

export type Patience = { readonly attemptsMax?: number; readonly wait?: (ms: number) => Promise<unknown> };

/**
 * A client that tries again what the store cannot do now, a few times, ever later. So a step may be done twice,
 * and its acknowledgement may be the second one's: a condition that failed then does not tell who made it fail. In the end it is `unavailable`.
 */
export function createPatientLean(lean: LeanDynamo, { attemptsMax = ATTEMPTS_MAX, wait = sleep }: Patience = {}): LeanDynamo {
  const call: LeanDynamo["call"] = async (operation, input, timeoutMs) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await lean.call(operation, input, timeoutMs);
      } catch (cause) {
        if (isFinal(cause)) throw cause;
        if (attempt >= attemptsMax) throw storeUnavailable(cause);
      }
      await wait(backOffMs(attempt));
    }
  };
  return { call, clockSkewMs: () => lean.clockSkewMs(), close: () => lean.close() };
}

const FINAL = new Set(["ConditionalCheckFailedException", "ValidationException", "ResourceNotFoundException", "AccessDeniedException"]);

function isFinal(cause: unknown): boolean {
  return cause instanceof DynamoRefusal && FINAL.has(cause.name);
}

function backOffMs(attempt: number): number {
  const mostMs = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** attempt);
  return mostMs / 2 + (mostMs / 2) * Math.random();
}
