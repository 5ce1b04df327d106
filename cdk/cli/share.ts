import type { Share } from "../../shared/routing/split.ts";
import { UsageError } from "./usage-error.ts";

const SHARE_FORM = /^([1-9][0-9]{0,8})=([0-9]{1,3})(?:\.([0-9]{1,2}))?%$/;

/** Reads `2=33.33%` into whole basis points, without a float in between. */
export function parseShare(text: string): Share {
  const [, version, whole, fraction = ""] = SHARE_FORM.exec(text) ?? [];
  const shareBps = Number(`${whole}${fraction.padEnd(2, "0")}`);
  if (version === undefined || shareBps < 1) {
    throw new UsageError(
      `'${text}' is not a share: write <version>=<percent>% with at most two decimals and at least 0.01%, such as 2=33.33%`,
    );
  }
  return { version: Number(version), shareBps };
}

/** 3333 is `33.33%`, 9000 is `90%`. */
export function percentOf(shareBps: number): string {
  const fraction = String(shareBps % 100)
    .padStart(2, "0")
    .replace(/0+$/, "");
  return `${Math.floor(shareBps / 100)}${fraction === "" ? "" : `.${fraction}`}%`;
}
