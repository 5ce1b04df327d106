/**
 * One round of a scheduled function. It does a bounded amount of work, begins nothing more once `signal` is aborted, and says whether more waits.
 * It may be killed anywhere, run twice at once, or come days late: the next round finds what is left.
 */
export type Round = (call: { readonly nowMs: number; readonly signal: AbortSignal }) => Promise<{ readonly hasMore: boolean }>;
