import { expect, test } from "vitest";
import { type Crowd, runCrowd } from "../../test/harness/slot-crowd.ts";

/** What nobody has taken for so long is free for whoever asks: 50 ms for the process's own next request, 100 ms in which another believes that all are taken, and what is on its way. */
const FREE_MS_MAX = 200;
/** Legs of 3 ms at most; a refusal is a write, a read and a write away, or has one call of its process's to wait for. */
const WAITED_MS_MAX = 50;

type Case = Crowd & { readonly callsMax: number; readonly refusedMax: number };

test.each<Case>([
  // A sixtieth of the limit is used: nobody waits for anybody.
  { gateways: 20, limit: 40, load: { perSecond: 150 }, runsMs: 4, seconds: 10, callsMax: 1.5, refusedMax: 0 },
  { gateways: 20, limit: 8, load: { perSecond: 20 }, runsMs: 50, seconds: 10, callsMax: 2.1, refusedMax: 0.01 },
  { gateways: 100, limit: 40, load: { perSecond: 300 }, runsMs: 20, seconds: 5, callsMax: 2, refusedMax: 0 },
  // Three quarters of it: 1.4 % would find it full if slots were handed over in no time (Erlang's loss formula).
  { gateways: 20, limit: 40, load: { perSecond: 300 }, runsMs: 100, seconds: 10, callsMax: 2.1, refusedMax: 0.04 },
  // Half of a small one: 9.5 %, by the same formula.
  { gateways: 20, limit: 4, load: { perSecond: 40 }, runsMs: 50, seconds: 10, callsMax: 2.5, refusedMax: 0.12 },
  // Half as much again as there is: a third has to go.
  { gateways: 20, limit: 40, load: { perSecond: 600 }, runsMs: 100, seconds: 10, callsMax: 3, refusedMax: 0.42 },
  { gateways: 4, limit: 40, load: { perSecond: 600 }, runsMs: 100, seconds: 10, callsMax: 0.7, refusedMax: 0.42 },
  // Few gateways and large limits keep some at hand.
  { gateways: 4, limit: 200, load: { perSecond: 600 }, runsMs: 100, seconds: 10, callsMax: 0.1, refusedMax: 0 },
])(
  "$gateways gateways, $limit slots, $load.perSecond requests of $runsMs ms a second: nobody fails, or is refused what is free",
  { timeout: 30_000 },
  async ({ callsMax, refusedMax, ...crowd }) => {
    const { admitted, refused, failed, calls, most, freeBeforeRefusalMs, waitedMs } = await runCrowd(crowd);

    expect(failed).toBe(0);
    expect(most).toBeLessThanOrEqual(crowd.limit);
    expect(refused / (admitted + refused)).toBeLessThanOrEqual(refusedMax);
    expect(calls / admitted).toBeLessThanOrEqual(callsMax);
    expect(freeBeforeRefusalMs).toBeLessThanOrEqual(FREE_MS_MAX);
    expect(waitedMs).toBeLessThanOrEqual(WAITED_MS_MAX);
  },
);

test.each([1, 2, 8, 40])(
  "%i callers, each with one request at a time and the next at another gateway, are hardly ever refused by a limit of as many",
  {
    timeout: 30_000,
  },
  async (callers) => {
    const crowd = { gateways: 20, limit: callers, load: { callers }, runsMs: 50, seconds: 10 };
    const { admitted, refused, failed, calls, most } = await runCrowd(crowd);

    expect(failed).toBe(0);
    expect(most).toBeLessThanOrEqual(callers);
    // A slot is on its way back for three milliseconds, and the next request is there after two.
    expect(refused / (admitted + refused)).toBeLessThanOrEqual(0.02);
    expect(calls / admitted).toBeLessThanOrEqual(2.2);
  },
);
