export const MONTH = "2026-11";
export const NEXT_MONTH = "2026-12";
/** Requests come in the last hour of the first, and some in the first of the second. */
export const MONTHS = [MONTH, NEXT_MONTH] as const;
