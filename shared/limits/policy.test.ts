import { expect, test } from "vitest";
import { counterKeysOf, counterOwner } from "./counter-keys.ts";
import { itemKeyAt } from "./level.ts";
import { KeyLimits, policiesOf, TenantLimits, webhookPolicyOf } from "./policy.ts";

const rate = { requestsPerSecond: 10, burst: 25 };

test("a tenant without limits is held to its rate alone", () => {
  const { requests, tokens, slots } = policiesOf({ tenant: { id: "acme", rate }, key: { id: "k" } });

  expect(requests).toEqual([
    {
      revision: 0,
      name: "requests",
      itemKey: "acme#requests",
      quota: 25,
      windowSeconds: 3,
      says: "the limit of your tenant is 10 requests per second with bursts of 25",
      refill: { kind: "rate", gcra: { intervalUs: 100_000, burst: 25 } },
      leaseLifeMs: 1_000,
    },
  ]);
  expect([...tokens, ...slots]).toEqual([]);
});

test("a key's own limits stand beside its tenant's, with names and items of their own", () => {
  const limits = { requestsPerDay: 1_000, tokensPerMinute: 60_000, concurrentRequests: 4 };

  const policies = policiesOf({ tenant: { id: "acme", rate, limits }, key: { id: "k", limits: { ...limits, rate } } });

  const all = [...policies.requests, ...policies.tokens, ...policies.slots];
  expect(all.map(({ name }) => name)).toEqual([
    ...["requests", "daily", "key-requests", "key-daily"],
    ...["tokens", "key-tokens", "concurrency", "key-concurrency"],
  ]);
  expect(new Set(all.map(({ itemKey }) => itemKey)).size).toBe(all.length);
});

test("the items of all policies are among those that are erased with their owner", () => {
  const limits = { requestsPerDay: 1_000, tokensPerMinute: 60_000, concurrentRequests: 4 };
  const { requests, tokens, slots } = policiesOf({ tenant: { id: "acme", rate, limits }, key: { id: "k", limits: { ...limits, rate } } });
  const nowMs = Date.UTC(2026, 10, 26);

  const credits = [...requests, ...tokens, webhookPolicyOf("acme")].map((policy) => itemKeyAt(policy, nowMs * 1_000));
  const erased = new Set([counterOwner.tenant("acme"), counterOwner.key("k")].flatMap((owner) => counterKeysOf(owner, nowMs)));

  expect([...credits, ...slots.map(({ itemKey }) => itemKey)].filter((itemKey) => !erased.has(itemKey))).toEqual([]);
});

test("limits that mean nothing are refused", () => {
  for (const limits of [{ tokensPerMinute: 0 }, { requestsPerDay: 1.5 }, { concurrentRequests: -1 }, { perHour: 5 }])
    expect(TenantLimits.safeParse(limits).success).toBe(false);
  expect(TenantLimits.safeParse({ rate }).success).toBe(false); // a tenant's rate is a field of its own
  expect(KeyLimits.safeParse({ rate }).success).toBe(true);
});
