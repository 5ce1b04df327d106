import { picoOf } from "../money.ts";

/** Prices of places: the nth unit of a month lies at place n-1, and a step prices the places from where the one before it ends up to its own end. */
export type Scale = {
  readonly kind: "price" | "graduated" | "volume";
  /** Places below this cost nothing. */
  readonly free: bigint;
  readonly steps: readonly Step[];
};

type Step = Span & { readonly pico: bigint; readonly note: string };
type Span = { readonly from: bigint /** Absent: without end. */; readonly to?: bigint };

/** What lies on one step. */
export type Part = { readonly quantity: bigint; readonly amountPico: bigint; readonly note: string };

type Settings = {
  readonly price?: string;
  readonly graduated?: readonly { readonly upTo?: number; readonly price: string }[];
  readonly volume?: readonly { readonly upTo?: number; readonly price: string }[];
  readonly free?: number;
};

/** `per` is how many units the price is of; the price is a multiple of it in pico-units, as its schema sees to. */
export function scaleOf({ price, graduated, volume, free = 0 }: Settings, per = 1n): Scale {
  const steps = graduated ?? volume ?? [{ price: price ?? "0" }];
  const kind = price !== undefined ? "price" : graduated !== undefined ? "graduated" : "volume";
  return {
    kind,
    free: BigInt(free),
    steps: steps.map((step, place) => stepOf(kind, { ...step, after: steps[place - 1]?.upTo ?? 0, per })),
  };
}

/** Prices `quantity` units that lie from `from` on, in a month of `total`: which step a volume reaches follows from the total. */
export function partsOn(scale: Scale, { from, quantity, total }: { from: bigint; quantity: bigint; total: bigint }): Part[] {
  const to = from + quantity;
  const free = overlap({ from, to }, { from: 0n, to: scale.free });
  const paid = { from: from > scale.free ? from : scale.free, to };
  const steps = scale.kind === "volume" ? [everywhere(stepAt(scale, total))] : scale.steps;
  const parts = steps.map((step) => ({ step, quantity: overlap(paid, step) })).filter((each) => each.quantity > 0n);
  return [
    ...(free > 0n ? [{ quantity: free, amountPico: 0n, note: `free up to ${shown(scale.free)}` }] : []),
    ...parts.map(({ step, quantity: inStep }) => ({ quantity: inStep, amountPico: inStep * step.pico, note: step.note })),
  ];
}

function stepOf(kind: Scale["kind"], { upTo, price, after, per }: { upTo?: number; price: string; after: number; per: bigint }): Step {
  const from = BigInt(after);
  const bounds = [after > 0 ? `above ${shown(from)}` : "", upTo === undefined ? "" : `up to ${shown(BigInt(upTo))}`];
  const note = kind === "price" ? "" : [kind, ...bounds].filter((each) => each !== "").join(" ");
  return { from, ...(upTo === undefined ? {} : { to: BigInt(upTo) }), pico: wholePico(picoOf(price), per), note };
}

function stepAt({ steps }: Scale, total: bigint): Step {
  const step = steps.find(({ to }) => to === undefined || total <= to);
  if (step === undefined) throw new Error("a scale's last step has no end");
  return step;
}

function everywhere({ pico, note }: Step): Step {
  return { from: 0n, pico, note };
}

function overlap(a: { readonly from: bigint; readonly to: bigint }, b: Span): bigint {
  const from = a.from > b.from ? a.from : b.from;
  const to = b.to === undefined || a.to < b.to ? a.to : b.to;
  return to > from ? to - from : 0n;
}

/** With commas between thousands, the same on every machine. */
function shown(count: bigint): string {
  return count.toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

function wholePico(pico: bigint, per: bigint): bigint {
  if (pico % per !== 0n) throw new Error(`a price of ${pico} pico-units for ${per} is not whole for one`);
  return pico / per;
}
