import * as z from "zod";
import { bucketOf } from "../base/hash.ts";
import { RevisionStamp, Why } from "../base/revision.ts";
import { ModelName } from "../models/version.ts";

export const SLOT_COUNT = 10_000;
export const ARM_COUNT_MAX = 10;

/** One way through a split. `stable` is the arm whose version is live. */
export const Arm = z.object({ name: z.string().min(1).max(40), version: z.int().positive() });
export type Arm = z.infer<typeof Arm>;

/** Who gets which version: 10,000 slots, each owned by an arm. Consecutive slots of one owner are one range. */
export const Split = z.object({
  model: ModelName,
  arms: z.array(Arm).min(1).max(ARM_COUNT_MAX),
  /** Ascending; a range goes up to `slotEnd` (exclusive) and the last one ends at 10,000. `arm` is an index into `arms`. */
  ranges: z.array(z.object({ slotEnd: z.int().min(1).max(SLOT_COUNT), arm: z.int().min(0) })).min(1),
});
export type Split = z.infer<typeof Split>;

/** What an operator asks for: the share of each version in basis points (1/10,000); they sum to 10,000. */
export const Share = z.object({ version: z.int().positive(), shareBps: z.int().min(1).max(SLOT_COUNT) }).meta({ id: "Share" });
export type Share = Readonly<z.infer<typeof Share>>;

export const Shares = z
  .array(Share)
  .min(1)
  .max(ARM_COUNT_MAX)
  .refine((shares) => new Set(shares.map(({ version }) => version)).size === shares.length, "each version may appear once")
  .superRefine((shares, context) => {
    const sum = sumOf(shares);
    if (sum !== SLOT_COUNT) context.addIssue(`the shares must sum to ${SLOT_COUNT} basis points (100 %), not to ${sum} (${sum / 100} %)`);
  });

export const SplitChange = z.strictObject({ shares: Shares, why: Why.optional() });
export type SplitChange = z.infer<typeof SplitChange>;

/** A split as the admin API shows it; `live` is the version of its stable arm. */
export const SplitRevision = z
  .object({ model: ModelName, live: z.int().positive(), shares: z.array(Share.extend({ arm: z.string() })), revision: RevisionStamp })
  .meta({ id: "Split" });
export type SplitRevision = z.infer<typeof SplitRevision>;

/** Decides, with integers, the same arm for the same unit on every machine. */
export function pickArm(split: Split, unit: string): Arm {
  const slot = bucketOf(`${split.model}\n${unit}`, SLOT_COUNT);
  const range = split.ranges.find((each) => slot < each.slotEnd);
  const arm = range && split.arms[range.arm];
  if (arm === undefined) throw new Error(`split of ${split.model} leaves slot ${slot} without an arm`);
  return arm;
}

/** The version of the stable arm: what `live` means. */
export function liveVersionOf(split: Split): number {
  const stable = split.arms.find((arm) => arm.name === "stable");
  if (stable === undefined) throw new Error(`split of ${split.model} has no stable arm`);
  return stable.version;
}

/** How many slots each version owns, in basis points. */
export function sharesOf(split: Split): Share[] {
  const owners = ownersOf(split);
  return split.arms.map(({ version }) => ({ version, shareBps: owners.filter((owner) => owner === version).length }));
}

/** Makes the split of the given shares that moves the fewest slots away from `before`: only what a shrinking version gives up changes its owner. */
export function reshare(model: string, before: Split | undefined, shares: readonly Share[]): Split {
  const owners: (number | undefined)[] = before ? ownersOf(before) : new Array(SLOT_COUNT).fill(undefined);
  releaseExcess(owners, shares);
  for (const { version, shareBps } of shares) claim(owners, version, shareBps - countOf(owners, version));
  const arms = nameArms(before, shares);
  return { model, arms, ranges: rangesOf(owners, arms) };
}

function sumOf(shares: readonly Share[]): number {
  return shares.reduce((sum, { shareBps }) => sum + shareBps, 0);
}

function ownersOf(split: Split): number[] {
  const owners: number[] = [];
  for (const { slotEnd, arm } of split.ranges) {
    const version = split.arms[arm]?.version;
    if (version === undefined) throw new Error(`split of ${split.model} names arm ${arm}, which it does not have`);
    while (owners.length < slotEnd) owners.push(version);
  }
  return owners;
}

function releaseExcess(owners: (number | undefined)[], shares: readonly Share[]) {
  const kept = new Map<number, number>();
  const allowed = new Map(shares.map(({ version, shareBps }) => [version, shareBps]));
  for (const [slot, owner] of owners.entries()) {
    if (owner === undefined) continue;
    const count = kept.get(owner) ?? 0;
    if (count < (allowed.get(owner) ?? 0)) kept.set(owner, count + 1);
    else owners[slot] = undefined;
  }
}

function claim(owners: (number | undefined)[], version: number, slotCount: number) {
  let left = slotCount;
  for (let slot = 0; slot < owners.length && left > 0; slot += 1) {
    if (owners[slot] !== undefined) continue;
    owners[slot] = version;
    left -= 1;
  }
}

function countOf(owners: readonly (number | undefined)[], version: number): number {
  return owners.filter((owner) => owner === version).length;
}

function nameArms(before: Split | undefined, shares: readonly Share[]): Arm[] {
  const stable = stableVersionAmong(before, shares);
  let canaries = 0;
  return shares.map(({ version }) => {
    if (version === stable) return { name: "stable", version };
    canaries += 1;
    return { name: canaries === 1 ? "canary" : `canary-${canaries}`, version };
  });
}

/** The version that was stable stays so while it has any share, however large a canary grows; else the one with the largest share is, the first of equals. */
function stableVersionAmong(before: Split | undefined, shares: readonly Share[]): number | undefined {
  const largest = shares.reduce<Share | undefined>((best, each) => (best && best.shareBps >= each.shareBps ? best : each), undefined);
  const was = before && shares.find(({ version }) => version === liveVersionOf(before));
  return (was ?? largest)?.version;
}

function rangesOf(owners: readonly (number | undefined)[], arms: readonly Arm[]): Split["ranges"] {
  const ranges: Split["ranges"] = [];
  for (const [slot, owner] of owners.entries()) {
    const arm = arms.findIndex(({ version }) => version === owner);
    if (arm < 0) throw new Error(`slot ${slot} has no owner: the shares must sum to ${SLOT_COUNT}`);
    const last = ranges.at(-1);
    if (last?.arm === arm) last.slotEnd = slot + 1;
    else ranges.push({ slotEnd: slot + 1, arm });
  }
  return ranges;
}
