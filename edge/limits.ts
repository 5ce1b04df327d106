/** The gateway's named limits, each with its unit. */
export const BODY_BYTES_MAX = 10 * 1024 ** 2;
/** Bodies and answers in memory at once, of all tenants and of one. A body takes four to five times its size while it is parsed and passed on. */
export const HELD_BYTES_MAX = 128 * 1024 ** 2;
export const TENANT_HELD_BYTES_MAX = 48 * 1024 ** 2;
export const REQUEST_TIMEOUT_MS = 60_000;
export const SETTLE_TIMEOUT_MS = 10_000;
/** A client that sends its head or body slower than this is cut off. */
export const HEADERS_TIMEOUT_MS = 10_000;
export const BODY_TIMEOUT_MS = 30_000;
/** Longer than load balancers keep a connection (60 s), so that they never write to one that is being closed. */
export const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/**
 * A connection on which nothing has moved for this long is closed; longer than any answer takes. One whose caller stops reading may last
 * twice as long, since Node sees only at its second look that none of what is queued has left.
 */
export const IDLE_TIMEOUT_MS = 90_000;
export const DRAIN_TIMEOUT_MS = 25_000;
/** What a gateway that ends still gives to rows and markers that wait. */
export const LEDGER_DRAIN_TIMEOUT_MS = 5_000;
