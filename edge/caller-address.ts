import { isIP } from "node:net";
import { canonicalAddress, createAddressLimit } from "../shared/keys/address.ts";
import type { TrustedProxies } from "./config.ts";
import type { EdgeContext } from "./env.ts";

/** What is read of a forwarding chain; whoever sends more is not asked. */
const HOPS_MAX = 16;

/** CloudFront says `address:port` here; every other header that a hop sets holds the address alone. */
const WITH_PORT = "cloudfront-viewer-address";

type Asked = { readonly socketAddress: string | undefined; readonly header: (name: string) => string | undefined };

/**
 * Who calls, as far as it can be believed: the socket's peer, unless that is a proxy which the configuration trusts. Then it is the last
 * address of `X-Forwarded-For` that no trusted proxy has: everything before that one is the caller's own word. Undefined if there is none.
 */
export function createCallerAddress(proxies: TrustedProxies): (c: EdgeContext) => string | undefined {
  const find = createAddressFinder(proxies);
  return (c) => find({ socketAddress: c.env?.incoming?.socket.remoteAddress, header: (name) => c.req.header(name) });
}

export function createAddressFinder(proxies: TrustedProxies): (asked: Asked) => string | undefined {
  if (!Array.isArray(proxies)) {
    const { header: name } = proxies;
    return ({ header }) => addressIn(name, header(name));
  }
  if (proxies.length === 0) return ({ socketAddress }) => socketAddress;
  const isTrusted = createAddressLimit(proxies);
  return ({ socketAddress, header }) => {
    if (socketAddress === undefined || !isTrusted(socketAddress)) return socketAddress;
    const forwarded = header("x-forwarded-for");
    if (forwarded === undefined) return socketAddress;
    let caller: string | undefined;
    for (const hop of forwarded.split(",").slice(-HOPS_MAX).toReversed()) {
      caller = canonicalAddress(hop.trim())?.address;
      // A garbled hop hides whoever came before it: then nobody can say who called.
      if (caller === undefined || !isTrusted(caller)) return caller;
    }
    return caller;
  };
}

function addressIn(name: string, value: string | undefined): string | undefined {
  const text = name === WITH_PORT ? value?.replace(/:\d+$/, "") : value;
  const address = text?.trim().replace(/^\[|\]$/g, "") ?? "";
  return isIP(address) === 0 ? undefined : address;
}
