/** The gateway's named limits, each with its unit. */
export const BODY_BYTES_MAX = 10 * 1024 ** 2;
/** Arrays, objects and texts of a JSON body, names among them; so many more would take a parser seconds, in which nobody else is answered. */
export const JSON_PARTS_MAX = 100_000;
/** Values of a body that has integers of 16 digits or more: these are read digit by digit. */
export const LOSSLESS_VALUES_MAX = 50_000;
/** Bodies and answers in memory at once, of all tenants and of one. A body takes four to five times its size while it is parsed and passed on. */
export const HELD_BYTES_MAX = 128 * 1024 ** 2;
export const TENANT_HELD_BYTES_MAX = 48 * 1024 ** 2;
/** Reports and exports of usage that one tenant has read at the same time, by one gateway. */
export const REPORTS_AT_ONCE_MAX = 4;
export const REQUEST_TIMEOUT_MS = 60_000;
/** A whole generation, where a deployment lets one take longer than other answers: its row has to be durable ten minutes after it was accepted. */
export const GENERATION_SECONDS_MAX = 570;
export const SETTLE_TIMEOUT_MS = 10_000;
/** A stream that has run out of what is covered waits twice so long for the store at most, then ends. */
export const CHECKPOINT_TIMEOUT_MS = 5_000;
/** A stream, from the request to its last event: a minute less than Lambda gives whoever writes it. */
export const STREAM_TIMEOUT_MS = 14 * 60_000;
/** What an open stream takes of those bytes: its socket's and its engine's buffers, and an event between them. */
export const STREAM_HELD_BYTES = 128 * 1024;
/** The longest silence of a stream; CloudFront gives an origin 30 s between packets. */
export const HEARTBEAT_MS = 15_000;
/** A caller that takes nothing of a stream for this long has left without saying so. */
export const READER_TIMEOUT_MS = 60_000;
/** Choices of one request, over all its prompts; OpenAI's bound of `n`. */
export const CHOICES_MAX = 128;
/** New tokens of one request, over all its choices. */
export const GENERATED_TOKENS_MAX = 65_536;
/** A whole generation is gathered in memory before it is answered; log-probabilities count, too. */
export const GATHERED_CHARS_MAX = 16 * 1024 ** 2;
/** A client that sends its head or body slower than this is cut off. */
export const HEADERS_TIMEOUT_MS = 10_000;
export const BODY_TIMEOUT_MS = 30_000;
/** Longer than load balancers keep a connection (60 s), so that they never write to one that is being closed. */
export const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/**
 * A connection on which nothing has moved for this long is closed; longer than any answer takes but a whole generation (see `mayBeSilentFor`). One whose caller stops reading may last
 * twice as long, since Node sees only at its second look that none of what is queued has left.
 */
export const IDLE_TIMEOUT_MS = 90_000;
export const DRAIN_TIMEOUT_MS = 25_000;
/** What a gateway that ends still gives to rows and markers that wait. */
export const LEDGER_DRAIN_TIMEOUT_MS = 5_000;
