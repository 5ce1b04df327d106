import * as z from "zod";
import { counterOwner } from "./counter-keys.ts";
import { type Gcra, gcraOf } from "./gcra.ts";

/** One request in 1,000 seconds. A limit counts in microseconds, and a burst of the least must stay within what a number holds exactly. */
const REQUESTS_PER_SECOND_MIN = 0.001;
/** A second is much of a window of one, little of a minute: one request may take as many tokens as come in a second. */
export const REQUEST_LEASE_LIFE_MS = 1_000;
export const TOKEN_LEASE_LIFE_MS = 5_000;
export const DAY_LEASE_LIFE_MS = 60_000;
const SECONDS_PER_MINUTE = 60;
const SECONDS_PER_DAY = 86_400;

/** Requests per second over any time, and how many may come at once. */
export const RequestRate = z
  .object({
    requestsPerSecond: z.number().min(REQUESTS_PER_SECOND_MIN).max(100_000),
    burst: z.int().min(1).max(1_000_000),
  })
  .meta({ id: "RequestRate" });
export type RequestRate = z.infer<typeof RequestRate>;

/** What a tenant may have besides its rate; a limit that is not named does not exist. */
export const TenantLimits = z
  .strictObject({
    requestsPerDay: z.int().min(1).max(1_000_000_000).optional().meta({ description: "Per day of UTC, of inferences" }),
    tokensPerMinute: z
      .int()
      .min(1)
      .max(1_000_000_000)
      .optional()
      .meta({ description: "Input and output; a minute's worth may come at once" }),
    concurrentRequests: z.int().min(1).max(100_000).optional().meta({ description: "Inferences that run or stream at the same time" }),
  })
  .meta({ id: "TenantLimits" });
export type TenantLimits = z.infer<typeof TenantLimits>;

/** What one key may have of its own. Its requests count against its tenant's limits, too. */
export const KeyLimits = TenantLimits.extend({ rate: RequestRate.optional() }).meta({ id: "KeyLimits" });
export type KeyLimits = z.infer<typeof KeyLimits>;

type PolicyBase = {
  /** As the headers call it: `tokens`, and `key-tokens` for the key's own. */
  readonly name: string;
  /** Of the policy's one item in the store. */
  readonly itemKey: string;
  /** Of the tenant or key that has it: of two that differ the later one counts. */
  readonly revision: number;
  /** What may come at once. */
  readonly quota: number;
  /** The limit in words, for whoever is refused. */
  readonly says: string;
};

/** Spends credits that come back with time: at a rate, or all at once when a day of UTC begins. */
export type CreditPolicy = PolicyBase & {
  /** In which a spent quota is whole again. */
  readonly windowSeconds: number;
  readonly refill: { readonly kind: "rate"; readonly gcra: Gcra } | { readonly kind: "day" };
  /** How long leased credits live: the τ of the bound `admitted ≤ burst + rate·(W + τ + clock skew)`. A day's are exact however long they live. */
  readonly leaseLifeMs: number;
};

/** Spends slots that come back when their request ends. */
export type SlotPolicy = PolicyBase;

/** Every policy that a key's requests are held to, computed once for each key that is loaded. */
export type Policies = {
  /** Checked before a body is read. */
  readonly requests: readonly CreditPolicy[];
  /** Those of `requests` that come back at a rate: what requests are held to that ask for no inference. */
  readonly rates: readonly CreditPolicy[];
  /** Checked once a request has been understood. */
  readonly tokens: readonly CreditPolicy[];
  readonly slots: readonly SlotPolicy[];
};

/** Revisions are those of the noun's log; absent where nothing changes. */
export type Limited = {
  readonly tenant: {
    readonly id: string;
    readonly revision?: number;
    readonly rate: RequestRate;
    readonly limits?: TenantLimits | undefined;
  };
  readonly key: { readonly id: string; readonly revision?: number; readonly limits?: KeyLimits | undefined };
};

/** A tenant's policies, then the key's own. */
export function policiesOf({ tenant, key }: Limited): Policies {
  const ofTenant = { itemKey: counterOwner.tenant(tenant.id), revision: tenant.revision ?? 0, prefix: "", whose: "your tenant" };
  const ofKey = { itemKey: counterOwner.key(key.id), revision: key.revision ?? 0, prefix: "key-", whose: "this key" };
  const all = [policiesOfOwner(ofTenant, { ...tenant.limits, rate: tenant.rate }), policiesOfOwner(ofKey, key.limits ?? {})];
  const requests = all.flatMap((each) => each.requests);
  return {
    requests,
    rates: requests.filter(({ refill }) => refill.kind === "rate"),
    tokens: all.flatMap(({ tokens }) => tokens),
    slots: all.flatMap(({ slots }) => slots),
  };
}

/** Four a minute for good: each may be attempted ten times, at a receiver that lets a deliverer wait. */
const WEBHOOK_RATE: RequestRate = { requestsPerSecond: 1 / 15, burst: 120 };

/**
 * What an owner may have done about webhooks by hand: making them, whose names are looked up, and sending tests and deliveries again. Requests per second would let one
 * tenant hand in more than is ever sent, and everybody's deliveries wait behind it.
 */
export function webhookPolicyOf(owner: string): CreditPolicy {
  const says = `the limit of your tenant is ${WEBHOOK_RATE.burst} webhooks, tests and repeats at once, and 4 a minute`;
  return ratePolicy(
    { name: "webhooks", itemKey: `${counterOwner.tenant(owner)}#webhooks`, revision: 0, quota: WEBHOOK_RATE.burst, says },
    WEBHOOK_RATE,
  );
}

type Owner = { readonly itemKey: string; readonly revision: number; readonly prefix: string; readonly whose: string };

function policiesOfOwner({ itemKey, revision, prefix, whose }: Owner, limits: KeyLimits): Omit<Policies, "rates"> {
  const base = (name: string, quota: number, says: string): PolicyBase => ({
    name: `${prefix}${name}`,
    itemKey: `${itemKey}#${name}`,
    revision,
    quota,
    says: `the limit of ${whose} is ${says}`,
  });
  const { rate, requestsPerDay, tokensPerMinute, concurrentRequests } = limits;
  return {
    requests: [
      ...(rate === undefined ? [] : [ratePolicy(base("requests", rate.burst, rateText(rate)), rate)]),
      ...(requestsPerDay === undefined ? [] : [dayPolicy(base("daily", requestsPerDay, `${requestsPerDay} requests per day of UTC`))]),
    ],
    tokens: tokensPerMinute === undefined ? [] : [tokenPolicy(base("tokens", tokensPerMinute, `${tokensPerMinute} tokens per minute`))],
    slots:
      concurrentRequests === undefined
        ? []
        : [{ ...base("concurrency", concurrentRequests, `${concurrentRequests} requests at the same time`), itemKey: `${itemKey}#slots` }],
  };
}

function rateText({ requestsPerSecond, burst }: RequestRate): string {
  return `${requestsPerSecond} requests per second with bursts of ${burst}`;
}

function ratePolicy(base: PolicyBase, rate: RequestRate): CreditPolicy {
  const windowSeconds = Math.max(1, Math.ceil(rate.burst / rate.requestsPerSecond));
  const gcra = gcraOf({ perSecond: rate.requestsPerSecond, burst: rate.burst });
  return { ...base, windowSeconds, refill: { kind: "rate", gcra }, leaseLifeMs: REQUEST_LEASE_LIFE_MS };
}

function tokenPolicy(base: PolicyBase): CreditPolicy {
  const gcra = gcraOf({ perSecond: base.quota / SECONDS_PER_MINUTE, burst: base.quota });
  return { ...base, windowSeconds: SECONDS_PER_MINUTE, refill: { kind: "rate", gcra }, leaseLifeMs: TOKEN_LEASE_LIFE_MS };
}

function dayPolicy(base: PolicyBase): CreditPolicy {
  return { ...base, windowSeconds: SECONDS_PER_DAY, refill: { kind: "day" }, leaseLifeMs: DAY_LEASE_LIFE_MS };
}
