import type { Failure } from "../../shared/base/failure.ts";
import type { Item } from "../harness/fake-dynamo/values.ts";
import { type Attempt, fingerprintOf } from "./caller.ts";
import { number, text } from "./ledger-items.ts";

/** What an Idempotency-Key has promised: however often it was asked, one row is billed, and everybody got the answer that this row says. */
export function wrongRetries(attempts: readonly Attempt[], rowsOf: ReadonlyMap<string, readonly Item[]>): string[] {
  const keyed = attempts.filter(({ order }) => order.idempotencyKey !== undefined);
  return [...Map.groupBy(keyed, ({ order }) => fingerprintOf(order))].flatMap(([fingerprint, asked]) => {
    const rows = rowsOf.get(fingerprint) ?? [];
    return [...asked.flatMap((attempt) => wrongRetryOf(attempt, rows)), ...wrongReplays(asked)];
  });
}

/** Nothing here is a day old: nobody may be told that an answer is not kept any more. */
const GONE = `"code":"${"conflict" satisfies Failure["code"]}"`;

function wrongRetryOf(attempt: Attempt, rows: readonly Item[]): string[] {
  const { order, ending, tokens, requestId = "" } = attempt;
  const what = nameOf(attempt);
  const [row] = rows;
  if (rows.length > 1) return [`${what} has ${rows.length} billing rows`];
  if (ending === "refused" && attempt.text.includes(GONE)) return [`${what} was told that its answer is gone`];
  if (ending !== "answered") return [];
  if (row === undefined) return [`${what} has no billing row`];
  if (!text(row, "sk").endsWith(`#${requestId}`)) return [`${what} was answered by ${requestId} and billed for ${text(row, "sk")}`];
  const billed = number(row, "to");
  return order.isStream && billed !== tokens ? [`${what} delivered ${tokens} tokens and is billed ${billed}`] : [];
}

function wrongReplays(asked: readonly Attempt[]): string[] {
  const [first, ...others] = asked.filter(({ ending }) => ending === "answered");
  return first === undefined
    ? []
    : others.filter((each) => wordsOf(each) !== wordsOf(first)).map((each) => `${nameOf(each)} got another answer`);
}

/** Without what only fills a silence. */
function wordsOf({ text: answer }: Attempt): string {
  return answer.replaceAll(": ping\n\n", "");
}

function nameOf({ order, ending }: Attempt): string {
  return `the ${order.isStream ? "stream" : "request"} with a key ${order.body} (${ending})`;
}
