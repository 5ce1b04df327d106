import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import type { Round } from "../../shared/schedule/round.ts";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";

const ROUNDS_MAX = 20;

/** The store without anything between: for what happens between and after a history's hard times. */
export function directLink(store: FakeDynamo, nowMs: number): LeanDynamo {
  return {
    clockSkewMs: () => 0,
    close: async () => {},
    call: async <T>(operation: string, input: object) => store.apply(operation, input, { nowMs, lagMs: 0 }) as T, // the shapes of DynamoDB's own answers
  };
}

/** Rounds at one moment until nothing waits. */
export async function untilDone(name: string, round: Round, nowMs: number) {
  for (let count = 0; (await round({ nowMs, signal: new AbortController().signal })).hasMore; count += 1) {
    if (count === ROUNDS_MAX) throw new Error(`the ${name} has not come to an end in ${ROUNDS_MAX} rounds`);
  }
}

/** What a log line says of its error. */
export function told(fields: object | undefined): string {
  return fields !== undefined && "error" in fields ? String(fields.error) : "";
}
