import { expect, test } from "vitest";
import { createAddressFinder } from "./caller-address.ts";

const asked = (socketAddress: string | undefined, headers: Record<string, string> = {}) => ({
  socketAddress,
  header: (name: string) => headers[name],
});
const forwarded = (chain: string) => ({ "x-forwarded-for": chain });

test("without trusted proxies the socket's peer calls, whatever its headers say", () => {
  const find = createAddressFinder([]);

  expect(find(asked("203.0.113.9", { ...forwarded("10.0.0.1"), "cloudfront-viewer-address": "10.0.0.1:1" }))).toBe("203.0.113.9");
  expect(find(asked(undefined, forwarded("10.0.0.1")))).toBeUndefined();
});

test("a proxy that is not trusted cannot say who calls", () => {
  const find = createAddressFinder(["10.0.0.0/8"]);

  expect(find(asked("203.0.113.9", forwarded("10.0.0.1")))).toBe("203.0.113.9");
});

test("behind trusted proxies the last address that none of them has is the caller, and what stands before it is its own word", () => {
  const find = createAddressFinder(["10.0.0.0/8", "2001:db8::/32"]);

  expect(find(asked("10.0.0.1", forwarded("192.0.2.7")))).toBe("192.0.2.7");
  expect(find(asked("::ffff:10.0.0.1", forwarded("192.0.2.66, 192.0.2.7, 10.0.0.9,2001:db8::5")))).toBe("192.0.2.7");
  expect(find(asked("10.0.0.1", forwarded("127.0.0.1, ::ffff:192.0.2.7")))).toBe("192.0.2.7");
});

test("a proxy that forwards for nobody is itself the caller, and a garbled chain is nobody", () => {
  const find = createAddressFinder(["10.0.0.0/8"]);

  expect(find(asked("10.0.0.1"))).toBe("10.0.0.1");
  expect(find(asked("10.0.0.1", forwarded("10.0.0.2, 10.0.0.3")))).toBe("10.0.0.2");
  for (const chain of ["unknown", "192.0.2.7, ", "192.0.2.7:443", "192.0.2.7, for=10.0.0.2"]) {
    expect(find(asked("10.0.0.1", forwarded(chain)))).not.toBe("192.0.2.7");
  }
});

test("a header that the hop before us overwrites is believed alone; CloudFront's has a port", () => {
  const own = createAddressFinder({ header: "weir-viewer-address" });
  const viewer = createAddressFinder({ header: "cloudfront-viewer-address" });

  expect(own(asked("127.0.0.1", { "weir-viewer-address": "2001:db8::1", ...forwarded("192.0.2.7") }))).toBe("2001:db8::1");
  expect(own(asked("127.0.0.1", forwarded("192.0.2.7")))).toBeUndefined();
  expect(viewer(asked("127.0.0.1", { "cloudfront-viewer-address": "198.51.100.10:46532" }))).toBe("198.51.100.10");
  expect(viewer(asked("127.0.0.1", { "cloudfront-viewer-address": "2001:0db8:85a3:0:0:8a2e:0370:7334:46532" }))).toBe(
    "2001:0db8:85a3:0:0:8a2e:0370:7334",
  );
});
