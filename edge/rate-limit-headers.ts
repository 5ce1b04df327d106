import { type Item, serializeList, type Token } from "structured-headers";
import { Failure } from "../shared/base/failure.ts";
import type { CreditLimiter, Refused } from "../shared/limits/limiter.ts";
import type { CreditPolicy, Policies, SlotPolicy } from "../shared/limits/policy.ts";
import type { SlotLimiter } from "../shared/limits/slots.ts";

export type Limiters = { readonly limiter: CreditLimiter; readonly slots: SlotLimiter };

const RATE_LIMIT_POLICY = "RateLimit-Policy";
const RATE_LIMIT = "RateLimit";
/** The draft knows no unit of tokens, and an unknown `qu` would be ours to define for others: so a parameter of our own. */
const UNIT = "weir-unit";

/** Says what a key's requests are held to, and what is left: draft-ietf-httpapi-ratelimit-headers-11, one item for each policy. */
export function tellLimits(tell: (name: string, value: string) => void, limiters: Limiters, { policies, refused }: Told) {
  tell(RATE_LIMIT_POLICY, policyHeader(policies));
  tell(RATE_LIMIT, stateHeader(limiters, policies, refused));
}

type Told = { readonly policies: Policies; readonly refused?: Refused | undefined };

/** The refusal names the policy, in words and as the headers do. What asks for more than can ever come at once is refused for good. */
export function limitFailure({ policy, retryAfterMs }: Refused): Failure {
  const violatedPolicies = [policy.name];
  if (!Number.isFinite(retryAfterMs)) {
    const message = `This request may take more than '${policy.name}' ever allows at once: ${policy.says}. Ask for fewer tokens.`;
    return new Failure("too_large", message, { violatedPolicies });
  }
  return new Failure("rate_limited", `Too many requests for '${policy.name}': ${policy.says}.`, { retryAfterMs, violatedPolicies });
}

const policyHeaders = new WeakMap<Policies, string>();

/** Computed once for each key that is loaded. */
function policyHeader(policies: Policies): string {
  const known = policyHeaders.get(policies) ?? serializePolicies(policies);
  policyHeaders.set(policies, known);
  return known;
}

function serializePolicies({ requests, tokens, slots }: Policies): string {
  const item = ({ name, quota }: SlotPolicy, more: readonly [string, number | string | Token][]): Item => [
    name,
    new Map<string, number | string | Token>([["q", quota], ...more]),
  ];
  const window = ({ windowSeconds }: CreditPolicy): [string, number] => ["w", windowSeconds];
  return serializeList([
    ...requests.map((policy) => item(policy, [window(policy)])),
    ...tokens.map((policy) => item(policy, [window(policy), [UNIT, "tokens"]])),
    ...slots.map((policy) => item(policy, [["qu", "concurrent-requests"]])),
  ]);
}

/** `"requests";r=<left>;t=<seconds>`: plain names and integers, so these texts are their own serialisation. */
function stateHeader({ limiter, slots }: Limiters, policies: Policies, refused: Refused | undefined): string {
  let text = "";
  const add = ({ name }: SlotPolicy, left: number, inMs: number | undefined) => {
    const isRefused = refused?.policy.name === name && Number.isFinite(refused.retryAfterMs);
    const seconds = secondsOf(isRefused ? refused.retryAfterMs : inMs);
    text += `${text === "" ? "" : ", "}"${name}";r=${left}${seconds === undefined ? "" : `;t=${seconds}`}`;
  };
  for (const policy of policies.requests) addCredits(policy);
  for (const policy of policies.tokens) addCredits(policy);
  for (const policy of policies.slots) add(policy, slots.remaining(policy), undefined);
  return text;

  function addCredits(policy: CreditPolicy) {
    const { remaining, wholeInMs } = limiter.standing(policy);
    // A request was refused: whatever a lease has left over is not for one like it.
    const isSpent = refused?.policy.name === policy.name && policies.requests.includes(policy);
    add(policy, isSpent ? 0 : remaining, wholeInMs);
  }
}

/** Rounded up, as `Retry-After` is: neither points earlier than the other. */
function secondsOf(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.ceil(ms / 1000);
}
