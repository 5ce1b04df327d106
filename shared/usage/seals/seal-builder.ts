import { createHash, type Hash } from "node:crypto";
import { acceptedAtMsOf } from "../../base/id.ts";
import { MINUTE_MS } from "../period.ts";
import type { UsageRow } from "../row.ts";
import { rowText } from "../row-text.ts";
import { compareTexts, type Summing, startSumming } from "../sums.ts";
import { type LeaseUse, SECONDS_PER_MINUTE, type Seal, type SealedSum, type TenantSeal } from "./seal.ts";

/** What a bucket's rows amount to: a seal without its place and time. */
export type SealContent = Pick<Seal, "rowCount" | "digest" | "tenants">;

/** Takes a bucket's billed rows one by one, in key order, and holds no more of them than their sums. */
export type SealBuilder = { readonly add: (row: UsageRow) => void; readonly finish: () => SealContent };

type OpenTenant = {
  readonly tenant: string;
  readonly hash: Hash;
  readonly sums: Summing;
  readonly leases: Map<string, Summing>;
  readonly perSecond: Map<string, number[]>;
  rowCount: number;
};

export function startSeal(): SealBuilder {
  const hash = createHash("sha256");
  const tenants: OpenTenant[] = [];
  let last = "";
  let rowCount = 0;
  return {
    add(row) {
      const key = `${row.tenant}#${row.requestId}`;
      // A digest in another order is another digest, so this would be found a day later; better here.
      if (key <= last) throw new Error(`rows of a bucket come in key order: ${key} after ${last}`);
      last = key;
      rowCount += 1;
      const text = rowText(row);
      hash.update(text);
      addToTenant(tenantOf(tenants, row.tenant), row, text);
    },
    finish: () => ({ rowCount, digest: hash.digest("hex"), tenants: tenants.map(closeTenant) }),
  };
}

/** Checks one tenant's rows, in key order, against its part of a seal. */
export function startTenantDigest() {
  const hash = createHash("sha256");
  return { add: (row: UsageRow) => void hash.update(rowText(row)), digest: () => hash.digest("hex") };
}

function tenantOf(tenants: OpenTenant[], tenant: string): OpenTenant {
  const last = tenants.at(-1);
  if (last?.tenant === tenant) return last;
  const next = { tenant, hash: createHash("sha256"), sums: startSumming(), leases: new Map(), perSecond: new Map(), rowCount: 0 };
  tenants.push(next);
  return next;
}

function addToTenant(open: OpenTenant, row: UsageRow, text: string) {
  const sum = sumOf(row);
  open.rowCount += 1;
  open.hash.update(text);
  open.sums.add(sum);
  if (row.lease !== undefined) leaseOf(open, row.lease).add(sum);
  const counts = open.perSecond.get(row.model) ?? new Array<number>(SECONDS_PER_MINUTE).fill(0);
  const second = Math.floor((acceptedAtMsOf(row.requestId) % MINUTE_MS) / 1_000);
  counts[second] = (counts[second] ?? 0) + 1;
  open.perSecond.set(row.model, counts);
}

function leaseOf(open: OpenTenant, lease: string): Summing {
  const known = open.leases.get(lease) ?? startSumming();
  open.leases.set(lease, known);
  return known;
}

/** One row as a sum of one; the version is the one that served. */
export function sumOf(row: UsageRow): SealedSum {
  const { model, servedVersion: version, arm, tier, priceVersion, inputs, inputTokens, outputTokens, computeMs } = row;
  return { model, version, arm, tier, priceVersion, requests: 1, inputs, inputTokens, outputTokens, computeMs };
}

function closeTenant({ tenant, rowCount, hash, sums, leases, perSecond }: OpenTenant): TenantSeal {
  const uses: LeaseUse[] = [...leases].map(([lease, each]) => ({ lease, sums: each.list() }));
  return {
    tenant,
    rowCount,
    digest: hash.digest("hex"),
    sums: sums.list(),
    leases: uses.sort((a, b) => compareTexts(a.lease, b.lease)),
    perSecond: [...perSecond].map(([model, counts]) => ({ model, counts })).sort((a, b) => compareTexts(a.model, b.model)),
  };
}
