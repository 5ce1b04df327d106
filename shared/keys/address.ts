import { BlockList, isIP, SocketAddress } from "node:net";
import * as z from "zod";

/** A range of addresses as it is stored: canonical, and with its prefix. A mapped IPv4 range is the IPv4 range. */
type Range = { readonly family: "ipv4" | "ipv6"; readonly address: string; readonly prefix: number };

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const MAPPED_PREFIX = 96;

/** `10.0.0.0/8`, `2001:db8::/32`, or one address; stored in canonical form. */
export const Cidr = z
  .string()
  .max(64)
  .transform((text, context) => {
    const range = parseRange(text);
    if (range !== undefined) return `${range.address}/${range.prefix}`;
    context.addIssue("must be an address or a range such as 10.0.0.0/8 or 2001:db8::/32");
    return z.NEVER;
  });

/** Whether an address lies in one of the ranges. An IPv4 address is the same one when it comes mapped into IPv6; what is no address lies nowhere. */
export function createAddressLimit(cidrs: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const range = parseRange(cidr);
    if (range === undefined) throw new Error(`'${cidr}' was stored as a range of addresses and is none`);
    list.addSubnet(range.address, range.prefix, range.family);
  }
  return (address) => {
    const canonical = canonicalAddress(address);
    return canonical !== undefined && list.check(canonical.address, canonical.family);
  };
}

/** Whether every address of the inner ranges lies in one of the outer ones. */
export function areWithin(inner: readonly string[], outer: readonly string[]): boolean {
  return inner.every((each) => outer.some((around) => isWithin(each, around)));
}

/** An address in the form that it is compared in, without a zone (`%eth0`); undefined for what is none. */
export function canonicalAddress(text: string): Pick<Range, "family" | "address"> | undefined {
  const address = text.split("%")[0] ?? "";
  const version = isIP(address);
  if (version === 0) return undefined;
  if (version === 4) return { family: "ipv4", address };
  const { address: canonical } = new SocketAddress({ address, family: "ipv6" });
  const mapped = MAPPED.exec(canonical)?.[1];
  return mapped === undefined ? { family: "ipv6", address: canonical } : { family: "ipv4", address: mapped };
}

function isWithin(inner: string, outer: string): boolean {
  const [small, large] = [parseRange(inner), parseRange(outer)];
  if (small === undefined || large === undefined || small.family !== large.family || small.prefix < large.prefix) return false;
  return createAddressLimit([outer])(small.address);
}

function parseRange(text: string): Range | undefined {
  const [, address = "", stated] = /^([0-9A-Fa-f:.]+)(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return undefined;
  const isMapped = canonical.family === "ipv4" && isIP(address) === 6;
  const bits = isIP(address) === 6 ? 128 : 32;
  const prefix = (stated === undefined ? bits : Number(stated)) - (isMapped ? MAPPED_PREFIX : 0);
  // A mapped range that is wider than all of IPv4 would mix the two families.
  return prefix < 0 || prefix > bits - (isMapped ? MAPPED_PREFIX : 0) ? undefined : { ...canonical, prefix };
}
