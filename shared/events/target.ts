import { BlockList, isIP, type LookupFunction } from "node:net";
import { Failure } from "../base/failure.ts";

/** `public`: https to public addresses. `any`: everything, for one machine and its tests. */
export type TargetRule = "public" | "any";

/** Looks up all addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** IANA's special-purpose IPv4 blocks, and Azure's host, which answers every machine there. Metadata services lie in 169.254/16, 100.64/10 and 192.0.0/24. */
const SPECIAL_V4: readonly (readonly [address: string, bits: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
  ["168.63.129.16", 32],
];

/** Of IPv6 only 2000::/3 is in public use, and these parts of it are not: others stand for IPv4 addresses (6to4, Teredo) or for nothing. */
const PUBLIC_V6 = ["2000::", 3] as const;
const SPECIAL_V6: readonly (readonly [address: string, bits: number])[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["2620:4f:8000::", 48],
  ["3fff::", 20],
];

const special = new BlockList();
for (const [address, bits] of SPECIAL_V4) special.addSubnet(address, bits, "ipv4");
for (const [address, bits] of SPECIAL_V6) special.addSubnet(address, bits, "ipv6");
const publicV6 = new BlockList();
publicV6.addSubnet(...PUBLIC_V6, "ipv6");

/** Names that never leave a network. */
const LOCAL_NAME = /(^|\.)(localhost|local|localdomain|internal|intranet|lan|home|corp|private|arpa|test|invalid|onion)$/i;

/** Whether an address is somebody's on the internet: not private, loopback, link-local, metadata, multicast, mapped or reserved. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !special.check(address, "ipv4");
  // A zone, as in fe80::1%eth0, is of a link.
  return family === 6 && !address.includes("%") && publicV6.check(address, "ipv6") && !special.check(address, "ipv6");
}

/** Refuses what a webhook may not point to, as far as the URL itself says. The URL parser has read octal, hexadecimal and short IPv4 forms by now. */
export function assertTargetUrl(text: string, rule: TargetRule): URL {
  if (!URL.canParse(text)) throw refusal("is not a URL");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") throw refusal("may not hold a user or a password: they would lie in logs");
  if (rule === "any") return url;
  if (url.protocol !== "https:") throw refusal("must begin with https://");
  const host = hostOf(url);
  const isAllowed = isIP(host) === 0 ? host.includes(".") && !LOCAL_NAME.test(host) : isPublicAddress(host);
  if (!isAllowed) throw refusal("must lead to a public address");
  return url;
}

/** Refuses a target whose name leads, even in part, to what is not public. Answers the addresses that were checked: connect to these and no others. */
export async function checkedAddresses(host: string, rule: TargetRule, resolve: Resolve): Promise<readonly string[]> {
  const addresses = isIP(host) === 0 ? await resolve(host).catch(() => []) : [host];
  if (addresses.length === 0) throw refusal("has a name that leads nowhere");
  if (rule === "public" && !addresses.every(isPublicAddress)) throw refusal("must lead to a public address");
  return addresses;
}

/** Answers a connection's look-up with addresses that were checked. For a literal address Node asks nothing; that one was checked as it stands. */
export function lookupOf(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  return (_hostname, options, callback) => {
    const [first] = found;
    if (options.all === true) callback(null, found);
    else callback(null, first?.address ?? "", first?.family ?? 4);
  };
}

/** The name or address, without brackets and without the dot at the end. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

function refusal(why: string): Failure {
  return new Failure("invalid_request", `url: ${why}`, { field: "url" });
}
