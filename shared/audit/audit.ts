import * as z from "zod";
import { type Page, PageQuery } from "../base/page.ts";

/** One change, as the trail tells it: the revision that it made, and the one before. */
export const AuditEntry = z
  .object({
    noun: z.string(),
    id: z.string(),
    revision: z.int().positive(),
    by: z.string().meta({ description: "Id of the key that made the change, or the part of Weir that did" }),
    person: z.string().exactOptional().meta({ description: "Whose key it was, if it is a person's" }),
    why: z.string(),
    at: z.iso.datetime(),
    before: z.unknown().optional().meta({ description: "Absent for the first revision" }),
    after: z.unknown().optional().meta({ description: "Without what could be used to guess a secret" }),
  })
  .meta({ id: "AuditEntry" });
export type AuditEntry = z.infer<typeof AuditEntry>;

/** The nouns whose changes are told, each with what of a body is never shown. A noun that is not here shows nothing of its bodies. */
export const AUDITED: Readonly<Record<string, readonly string[]>> = {
  tenant: [],
  person: [],
  key: ["secretHmac", "pepperVersion", "previous"],
  model: [],
  version: [],
  split: [],
  prices: [],
  credit: [],
  invoice: [],
  "credit-note": [],
  replacement: [],
  seller: [],
  webhook: ["secret", "before"],
  deletion: [],
};

const Instant = z.union([z.iso.datetime({ offset: true }), z.iso.date()], {
  error: "must be a date or a time with its zone, such as 2026-11-23 or 2026-11-23T19:00:00Z",
});

export const AUDIT_RANGE_DAYS_MAX = 366;

/** Changes made in [from, to), newest first: the last 30 days unless said; of one noun, or of one thing. */
export const AuditQuery = PageQuery.extend({
  noun: z.enum(Object.keys(AUDITED)).optional(),
  id: z.string().min(1).max(200).optional().meta({ description: "Of that noun; all its changes, whenever they were" }),
  actor: z.string().min(1).max(200).optional().meta({
    description: "Who made the change: a person, the id of a key, or a part of Weir. Pages may be short, also empty, and have a next one",
  }),
  from: Instant.optional(),
  to: Instant.optional(),
});
export type AuditQuery = z.infer<typeof AuditQuery>;

/** A revision with the one before it, as they are stored. */
export type StoredChange = Omit<AuditEntry, "before" | "after"> & {
  readonly before: unknown;
  readonly after: unknown;
};

export type Trail = {
  /** Of one thing, newest first. */
  readonly of: (noun: string, id: string, page: PageQuery) => Promise<Page<StoredChange>>;
  /**
   * Across nouns, newest first. A page may be short, also empty, and still have a next one: it looks at a bounded number of changes.
   * The index lags a write by moments. Fails with `unsupported` where the store's table is older than the index.
   */
  readonly across: (range: AuditRange, page: PageQuery) => Promise<Page<StoredChange>>;
};

/** ISO instants of UTC, which sort as time does. */
export type AuditRange = { readonly from: string; readonly to: string; readonly noun?: string; readonly actor?: string };

/** Whether a change was made by a person, by a key, or by a part of Weir of that name. */
export function isMadeBy({ by, person }: Pick<AuditEntry, "by" | "person">, actor: string): boolean {
  return by === actor || person === actor;
}

/** A change without what nobody may see of it. */
export function shownChange({ before, after, ...change }: StoredChange): AuditEntry {
  const [was, is] = [shownBody(change.noun, before), shownBody(change.noun, after)];
  return { ...change, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) };
}

function shownBody(noun: string, body: unknown): unknown {
  const hidden = Object.hasOwn(AUDITED, noun) ? AUDITED[noun] : undefined;
  if (hidden === undefined || typeof body !== "object" || body === null) return undefined;
  return Object.fromEntries(Object.entries(body).filter(([name]) => !hidden.includes(name)));
}
