import * as z from "zod";
import { RevisionStamp, Why } from "../base/revision.ts";
import { TenantBilling } from "../billing/tenant-billing.ts";
import { RequestRate, TenantLimits } from "../limits/policy.ts";

export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** Longer than clients retry, and shorter than people wait before they mean it again. */
const DUPLICATE_WINDOW_SECONDS_MAX = 600;
const DuplicateWindow = z
  .int()
  .min(0)
  .max(DUPLICATE_WINDOW_SECONDS_MAX)
  .meta({ description: "Equal requests without an Idempotency-Key within so many seconds get one answer and one bill; 0: never" });

/** Who calls and who pays. A closed tenant's keys are refused. */
export const Tenant = z.object({
  id: z.string().regex(NAME_PATTERN, "a tenant's id is 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit"),
  name: z.string().min(1).max(200),
  isClosed: z.boolean(),
  rate: RequestRate,
  /** Absent: nothing of this tenant has a price. */
  billing: TenantBilling.exactOptional(),
  limits: TenantLimits.optional(),
  /** Equal requests without an Idempotency-Key are taken for one when they come within so many seconds; absent or 0, never. */
  duplicateWindowSeconds: DuplicateWindow.optional(),
});
export type Tenant = z.infer<typeof Tenant>;

/** A tenant as the admin API shows it. */
export const TenantRevision = Tenant.extend({ revision: RevisionStamp }).meta({ id: "Tenant" });
export type TenantRevision = z.infer<typeof TenantRevision>;

/** What makes a tenant; its name is its id and its rate `RATE_DEFAULT` unless said. */
export const NewTenant = z.strictObject({
  id: Tenant.shape.id,
  name: Tenant.shape.name.optional(),
  rate: RequestRate.optional(),
  limits: TenantLimits.optional(),
  billing: TenantBilling.optional(),
  duplicateWindowSeconds: DuplicateWindow.optional(),
  why: Why.optional(),
});
export type NewTenant = z.infer<typeof NewTenant>;

/** `limits` and `billing` replace all that there was of them. */
export const TenantChange = z
  .strictObject({
    name: Tenant.shape.name.optional(),
    rate: RequestRate.optional(),
    limits: TenantLimits.optional(),
    billing: TenantBilling.optional(),
    duplicateWindowSeconds: DuplicateWindow.optional(),
    why: Why.optional(),
  })
  .refine(
    ({ why: _, ...changes }) => Object.values(changes).some((value) => value !== undefined),
    "say what to change: name, rate, limits, billing or duplicateWindowSeconds",
  );
export type TenantChange = z.infer<typeof TenantChange>;

/** How a tenant is billed from now on, as a whole. */
export const NewBilling = TenantBilling.extend({ why: Why.optional() }).meta({ id: "NewBilling" });
export type NewBilling = z.infer<typeof NewBilling>;

/** The group that lists all tenants. */
export const TENANT_GROUP = "tenants";

export const RATE_DEFAULT: RequestRate = { requestsPerSecond: 100, burst: 200 };

/** The tenant whose keys operate this installation; it is made by the first start and cannot be closed. */
export const OPERATORS = "operators";
