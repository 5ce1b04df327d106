import { hash } from "node:crypto";
import { sha256Hex } from "../../shared/base/hash.ts";
import { TOKEN_TEXT } from "./engine.ts";
import type { Gateway } from "./gateway.ts";
import type { Machine, World } from "./world.ts";

/** One request, as its caller knows it. */
export type Order = {
  readonly tenant: string;
  readonly key: string;
  readonly path: string;
  readonly body: string;
  readonly idempotencyKey: string | undefined;
  readonly isStream: boolean;
  /** When its caller loses patience; absent, never. */
  readonly leavesAfterMs?: number;
  /** How long its caller takes over each piece of a stream. */
  readonly readingMs: number;
};

/**
 * What came of it for its caller. `answered`: the whole of a success. `broken`: a stream that said in-band that it failed. `refused`: any other whole answer.
 * `cut`: the connection broke, since the gateway died. `left`: the caller did. `down`: there was nobody.
 */
export type Ending = "answered" | "broken" | "refused" | "cut" | "left" | "down";

export type Attempt = {
  readonly order: Order;
  readonly ending: Ending;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  /** Tokens of text that its caller has received. */
  readonly tokens: number;
  readonly text: string;
  readonly isReplay: boolean;
  /** Whether the gateway that was asked is no more, be it that it died later. */
  readonly hasGatewayDied: boolean;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
};

/** An attempt whose gateway may yet die. */
export type Asked = Omit<Attempt, "hasGatewayDied"> & { readonly machine: Machine | undefined };

export function attemptOf({ machine, ...asked }: Asked): Attempt {
  return { ...asked, hasGatewayDied: machine !== undefined && !machine.isAlive() };
}

/** What a usage row of this order has as its `h`. */
export function fingerprintOf({ tenant, path, body }: Order): string {
  return hash("sha256", `${tenant}\n${path}\n${sha256Hex(body)}`, "base64url");
}

/** Asks one gateway, reads what comes at its own pace, and says what came of it. */
export async function ask(world: World, gateway: Gateway | undefined, order: Order): Promise<Asked> {
  const startedAtMs = world.nowMs();
  const seen = { status: undefined as number | undefined, requestId: undefined as string | undefined, text: "", isReplay: false };
  const ending = gateway === undefined ? "down" : await converse(world, gateway, { order, seen });
  return { order, ending, ...seen, machine: gateway?.machine, tokens: tokensIn(seen.text), startedAtMs, endedAtMs: world.nowMs() };
}

type Seen = { status: number | undefined; requestId: string | undefined; text: string; isReplay: boolean };

const CUT = Symbol("cut");
const LEFT = Symbol("left");
/** The gateway ended the connection itself. */
const BROKEN = Symbol("broken");
const ENDED = { done: true, value: undefined } as const;

async function converse(world: World, { app, machine }: Gateway, { order, seen }: { order: Order; seen: Seen }): Promise<Ending> {
  const leaving = new AbortController();
  const left = new Promise<typeof LEFT>((resolve) => leaving.signal.addEventListener("abort", () => resolve(LEFT)));
  if (order.leavesAfterMs !== undefined) world.after(order.leavesAfterMs, () => machine.isAlive() && machine.run(() => leaving.abort()));
  const orEnd = <T>(work: () => Promise<T>) =>
    machine.isAlive() ? Promise.race([machine.run(work), machine.died.then((): typeof CUT => CUT), left]) : CUT;
  const answer = await orEnd(async () => app.request(order.path, requestOf(order, leaving.signal)));
  if (answer === CUT) return "cut";
  if (answer === LEFT) return "left";
  seen.status = answer.status;
  seen.requestId = answer.headers.get("weir-request-id") ?? undefined;
  seen.isReplay = answer.headers.get("idempotent-replayed") === "true";
  const reader = answer.body?.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const piece = reader === undefined ? ENDED : await orEnd(() => reader.read().catch((): typeof BROKEN => BROKEN));
    if (piece === CUT || piece === BROKEN) return "cut";
    if (piece === LEFT) {
      if (machine.isAlive()) machine.run(() => void reader?.cancel().catch(() => {}));
      return "left";
    }
    if (piece.done) break;
    seen.text += decoder.decode(piece.value, { stream: true });
    if (order.isStream) await world.wait(order.readingMs);
  }
  if (answer.status >= 300) return "refused";
  return order.isStream && !isWholeStream(seen.text) ? "broken" : "answered";
}

function requestOf({ key, body, idempotencyKey }: Order, signal: AbortSignal): RequestInit {
  const head = { authorization: `Bearer ${key}`, "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
  const named = idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey };
  return { method: "POST", headers: { ...head, ...named }, body, signal };
}

function isWholeStream(text: string): boolean {
  return /^data: \[DONE\]$/m.test(text);
}

/** Streams carry their tokens in `text` fields, and so does the whole answer. */
function tokensIn(text: string): number {
  const texts = [...text.matchAll(/"text":"([^"]*)"/g)].map(([, piece = ""]) => piece);
  return texts.reduce((sum, piece) => sum + piece.length / TOKEN_TEXT.length, 0);
}
