import * as z from "zod";
import { periodAt, rangeOf, type TimeRange } from "../usage/period.ts";

/** A UTC month such as `2026-11`: what an invoice is for. */
export const Month = z.string().regex(/^20[0-9]{2}-(0[1-9]|1[0-2])$/, "a month is of the form 2026-11");
export type Month = z.infer<typeof Month>;

export function monthAt(atMs: number): Month {
  return periodAt("month", atMs).name;
}

export function rangeOfMonth(month: Month): TimeRange {
  return rangeOf({ kind: "month", name: month });
}

export function monthAfter(month: Month): Month {
  return monthAt(rangeOfMonth(month).toMs);
}

export function monthBefore(month: Month): Month {
  return monthAt(rangeOfMonth(month).fromMs - 1);
}
