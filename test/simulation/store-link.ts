import { clockSkewOf, DynamoRefusal, type LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import type { Focus } from "./focus.ts";
import type { Machine, World } from "./world.ts";

/** How a store and the network before it behave, as shares of all calls; the rest is done and acknowledged within milliseconds. */
export type Weather = {
  /** Refused as too many, and not done. */
  readonly throttled: number;
  /** Never arrives. */
  readonly lostCall: number;
  /** Done, but its acknowledgement never arrives. */
  readonly lostAnswer: number;
  /** The store says that it has failed, and may have done it. */
  readonly failed: number;
  /** Arrives late, maybe after its caller has given it up. */
  readonly late: number;
  /** A batch is done in part, whether the store says so or not. */
  readonly partial: number;
};

export const CALM: Weather = { throttled: 0, lostCall: 0, lostAnswer: 0, failed: 0, late: 0, partial: 0 };

const LATE_MS_MAX = 25_000;
const SLOW_MS_MAX = 2_500;
const LAG_MS_MAX = 1_500;
const PAGE_ITEMS_MAX = 7;

export type StoreLink = LeanDynamo & { readonly counts: LinkCounts };
export type LinkCounts = { calls: number; lostAnswers: number; lostCalls: number; late: number; throttled: number };

type Settings = {
  readonly world: World;
  readonly machine: Machine;
  readonly store: FakeDynamo;
  readonly weather: () => Weather;
  /** Of the whole history. */
  readonly counts: LinkCounts;
  readonly focus: Focus;
};

/** The store as one machine sees it: calls take time, arrive in another order, and may be lost on either way. */
export function createStoreLink(settings: Settings): LeanDynamo {
  const { world, machine } = settings;
  let skewMs = 0;
  const whole = { ...settings, unheardLagMs: unheardLag(settings) };
  return {
    clockSkewMs: () => skewMs,
    close: async () => {},
    call: <T>(operation: string, input: object, timeoutMs: number) =>
      new Promise<T>((resolve, reject) => {
        if (!machine.isAlive()) return; // whoever is dead asks nothing
        const callOff = world.after(timeoutMs, () => reject(new Error(`the store did not answer in ${timeoutMs} ms`)), machine);
        send(whole, { operation, input }, (outcome) => {
          callOff();
          if (outcome.kind === "unheard") return reject(outcome.cause);
          skewMs = clockSkewOf(new Date(world.nowMs()).toUTCString(), machine.clock.nowMs()) ?? skewMs;
          if (outcome.kind === "refused") reject(outcome.cause);
          else resolve(outcome.answer as T); // the shapes of DynamoDB's own answers
        });
      }),
  };
}

/** How old a view a read has that asks for a consistent one and is not heard. */
function unheardLag({ world: { random }, focus }: Settings): () => { readonly unheardLagMs?: number } {
  const { lagMsMax, staleShare } = focus.leaning;
  if (lagMsMax === undefined) return () => ({});
  const share = staleShare === undefined ? 1 : random.chance(0.5) ? staleShare : 0;
  return () => ({ unheardLagMs: random.chance(share) ? random.below(lagMsMax) : 0 });
}

type Link = Settings & { readonly unheardLagMs: ReturnType<typeof unheardLag> };
type Call = { readonly operation: string; readonly input: object };
type Outcome =
  | { readonly kind: "done"; readonly answer: object }
  | { readonly kind: "refused"; readonly cause: unknown }
  | { readonly kind: "unheard"; readonly cause: Error };

/** One call's fate. What comes back is a step of the machine; what the store does happens even if the machine is no more. */
function send(settings: Link, call: Call, heard: (outcome: Outcome) => void) {
  const { world, machine, counts } = settings;
  const { random } = world;
  counts.calls += 1;
  const back = (outcome: Outcome) => world.after(hopMs(settings), () => heard(outcome), machine);
  const fate = drawFate(settings, call);
  if (fate === "throttled") {
    counts.throttled += 1;
    return back({ kind: "refused", cause: new DynamoRefusal("ProvisionedThroughputExceededException", "slow down") });
  }
  if (fate === "lostCall") {
    counts.lostCalls += 1;
    return maybeReset(settings, back);
  }
  if (fate === "late") counts.late += 1;
  // A call on its way when its sender dies may still arrive, or not.
  const isLostWithSender = random.chance(0.5);
  const lateMsMax = settings.focus.leaning.lateMsMax ?? LATE_MS_MAX;
  return world.after(fate === "late" ? random.below(lateMsMax) : hopMs(settings), () => {
    if (!machine.isAlive() && isLostWithSender) return;
    const outcome = done(settings, call);
    if (fate === "failed") return void back({ kind: "refused", cause: new DynamoRefusal("InternalServerError", "something broke") });
    if (fate !== "lostAnswer") return void back(outcome);
    counts.lostAnswers += 1;
    maybeReset(settings, back);
  });
}

/** A connection that breaks is noticed soon, or not before the call's time is over. */
function maybeReset({ world }: Settings, back: (outcome: Outcome) => void) {
  if (world.random.chance(0.5)) back({ kind: "unheard", cause: new Error("the connection was reset") });
}

function drawFate(settings: Link, call: Call) {
  const { world } = settings;
  const { throttled, lostCall, lostAnswer, failed, late } = weatherFor(settings, call);
  let draw = world.random.next();
  for (const [fate, share] of Object.entries({ throttled, lostCall, lostAnswer, failed, late })) {
    if (draw < share) return fate;
    draw -= share;
  }
  return "fine";
}

const FOCUSED: Weather = { throttled: 0.02, lostCall: 0.1, lostAnswer: 0.25, failed: 0.05, late: 0.35, partial: 0.5 };

/** Keys and limits are asked before any work, and say no when the store is in trouble: they have it milder, or little would come of most histories. */
const SPARED = /-(control|limits)$/;
const SPARED_SHARE = 0.9;

function weatherFor(settings: Settings, call: Call): Weather {
  if (isInFocus(settings, call)) return { ...FOCUSED, ...settings.focus.leaning.focused };
  const { TableName = "" } = call.input as { TableName?: string }; // of every call but batches
  return SPARED.test(TableName) && settings.world.random.chance(SPARED_SHARE) ? CALM : settings.weather();
}

function isInFocus({ store, focus, weather }: Settings, { operation, input }: Call): boolean {
  return focus.steps.size > 0 && weather() !== CALM && focus.steps.has(store.stepOf(operation, input) ?? "");
}

function hopMs({ world, weather }: Settings): number {
  const isSlow = world.random.chance(weather().late);
  return isSlow ? world.random.below(SLOW_MS_MAX) : 1 + world.random.below(4);
}

function done({ world, store, weather, unheardLagMs }: Link, { operation, input }: Call): Outcome {
  const { random } = world;
  const view = { lagMs: random.below(LAG_MS_MAX), pageItemsMax: 1 + random.below(PAGE_ITEMS_MAX) };
  const when = { nowMs: world.nowMs(), ...view, ...unheardLagMs() };
  try {
    if (operation === "BatchWriteItem" && random.chance(weather().partial)) return doneInPart({ world, store, when }, input);
    return { kind: "done", answer: store.apply(operation, input, when) };
  } catch (cause) {
    return { kind: "refused", cause };
  }
}

type Requests = Readonly<Record<string, readonly object[]>>;

function doneInPart({ world, store, when }: { world: World; store: FakeDynamo; when: Parameters<FakeDynamo["apply"]>[2] }, input: object) {
  const { RequestItems } = input as { RequestItems: Requests }; // the form of every BatchWriteItem
  const [taken, left]: [Record<string, object[]>, Record<string, object[]>] = [{}, {}];
  for (const [table, requests] of Object.entries(RequestItems)) {
    for (const request of requests) {
      const side = world.random.chance(0.5) ? taken : left;
      side[table] = [...(side[table] ?? []), request];
    }
  }
  store.apply("BatchWriteItem", { RequestItems: taken }, when);
  return { kind: "done" as const, answer: { UnprocessedItems: left } };
}
