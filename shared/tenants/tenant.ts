import * as z from "zod";
import { RevisionStamp, Why } from "../base/revision.ts";
import { TenantBilling } from "../billing/tenant-billing.ts";

export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** One request in 1,000 seconds. A limit counts in whole microseconds, and a burst of the least must stay within what a number holds exactly. */
const REQUESTS_PER_SECOND_MIN = 0.001;

/** Requests per second over any time, and how many may come at once. */
export const RequestRate = z
  .object({
    requestsPerSecond: z.number().min(REQUESTS_PER_SECOND_MIN).max(100_000),
    burst: z.int().min(1).max(1_000_000),
  })
  .meta({ id: "RequestRate" });
export type RequestRate = z.infer<typeof RequestRate>;

/** Who calls and who pays. A closed tenant's keys are refused. */
export const Tenant = z.object({
  id: z.string().regex(NAME_PATTERN, "a tenant's id is 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit"),
  name: z.string().min(1).max(200),
  isClosed: z.boolean(),
  rate: RequestRate,
  /** Absent: nothing of this tenant has a price. */
  billing: TenantBilling.exactOptional(),
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
  why: Why.optional(),
});
export type NewTenant = z.infer<typeof NewTenant>;

export const TenantChange = z
  .strictObject({ name: Tenant.shape.name.optional(), rate: RequestRate.optional(), why: Why.optional() })
  .refine(({ name, rate }) => name !== undefined || rate !== undefined, "say what to change: name or rate");
export type TenantChange = z.infer<typeof TenantChange>;

/** The group that lists all tenants. */
export const TENANT_GROUP = "tenants";

export const RATE_DEFAULT: RequestRate = { requestsPerSecond: 100, burst: 200 };

/** The tenant whose keys operate this installation; it is made by the first start and cannot be closed. */
export const OPERATORS = "operators";
