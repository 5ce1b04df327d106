import { Client } from "undici";
import { Failure } from "../base/failure.ts";
import type { Message, SendResult, SendWebhook } from "./deliver.ts";
import { assertTargetUrl, checkedAddresses, hostOf, lookupOf, type Resolve, type TargetRule } from "./target.ts";

/** A whole attempt, from the name's look-up to the answer's end. */
export const SEND_TIMEOUT_MS = 10_000;
const HEADER_BYTES_MAX = 16 * 1024;
/** Of an answer only its status counts; more than this is not even read. */
const ANSWER_BYTES_MAX = 64 * 1024;

type Settings = { readonly rule: TargetRule; readonly resolve: Resolve; readonly timeoutMs?: number };

/** Posts messages to where they may go. What goes wrong is a result, not an error: a delivery has it for its outcome. */
export function createSender(settings: Settings): SendWebhook {
  return async function send(message) {
    try {
      return await post(settings, message);
    } catch (cause) {
      return { isDelivered: false, isFinal: false, outcome: wordsFor(cause) };
    }
  };
}

/**
 * A connection of its own for each message, to an address that was just checked: a name that leads somewhere else a moment later leads nowhere here.
 * Redirects are not followed, since nobody has checked where they lead.
 */
async function post({ rule, resolve, timeoutMs = SEND_TIMEOUT_MS }: Settings, { url: text, headers, body }: Message): Promise<SendResult> {
  const signal = AbortSignal.timeout(timeoutMs);
  const url = assertTargetUrl(text, rule);
  const addresses = await withinTime(checkedAddresses(hostOf(url), rule, resolve), signal);
  const client = new Client(url.origin, {
    connect: { lookup: lookupOf(addresses), timeout: timeoutMs },
    maxHeaderSize: HEADER_BYTES_MAX,
    pipelining: 1,
    allowH2: false,
  });
  try {
    const answer = await client.request({ method: "POST", path: url.pathname + url.search, headers: { ...headers }, body, signal });
    await answer.body.dump({ limit: ANSWER_BYTES_MAX, signal });
    return resultOf(answer.statusCode);
  } finally {
    await client.destroy();
  }
}

function resultOf(status: number): SendResult {
  const isDelivered = status >= 200 && status < 300;
  // 410 says that nobody will ever take it.
  return { isDelivered, isFinal: status === 410, outcome: `answered ${status}` };
}

function withinTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  return Promise.race([work, late]);
}

/** What its owner may know: a refusal's own words, or the kind of the trouble. */
function wordsFor(cause: unknown): string {
  if (cause instanceof Failure) return cause.message;
  if (!(cause instanceof Error)) return "failed";
  if (cause.name === "TimeoutError" || cause.name === "AbortError") return "did not answer in time";
  return "code" in cause && typeof cause.code === "string" ? `failed: ${cause.code}` : "failed";
}
