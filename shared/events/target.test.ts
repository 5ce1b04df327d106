import fc from "fast-check";
import { expect, test } from "vitest";
import { assertTargetUrl, checkedAddresses, hostOf, isPublicAddress } from "./target.ts";

test.each([
  "https://127.0.0.1/x",
  "https://127.1/x",
  "https://2130706433/x",
  "https://0x7f000001/x",
  "https://0177.0.0.1/x",
  "https://0x7f.1/x",
  "https://0/x",
  "https://10.1.2.3/x",
  "https://172.16.0.1/x",
  "https://172.31.255.255/x",
  "https://192.168.1.1/x",
  "https://169.254.169.254/latest/meta-data/",
  "https://100.100.100.200/x",
  "https://168.63.129.16/x",
  "https://192.0.0.192/x",
  "https://224.0.0.1/x",
  "https://255.255.255.255/x",
  "https://[::1]/x",
  "https://[::]/x",
  "https://[::ffff:127.0.0.1]/x",
  "https://[::ffff:8.8.8.8]/x",
  "https://[::ffff:a00:1]/x",
  "https://[::127.0.0.1]/x",
  "https://[64:ff9b::7f00:1]/x",
  "https://[2002:7f00:1::]/x",
  "https://[2001:0:7f00:1::]/x",
  "https://[2001:db8::1]/x",
  "https://[fe80::1]/x",
  "https://[fd00:ec2::254]/x",
  "https://[ff02::1]/x",
  "https://localhost/x",
  "https://localhost./x",
  "https://LOCALHOST/x",
  "https://a.localhost/x",
  "https://printer.local/x",
  "https://metadata.google.internal/x",
  "https://intranet/x",
  "https://1.0.0.127.in-addr.arpa/x",
  "http://example.com/x",
  "https://user:secret@example.com/x",
  "ftp://example.com/x",
  "javascript:alert(1)",
  "//example.com",
  "",
])("%s is refused", (url) => {
  expect(() => assertTargetUrl(url, "public")).toThrow(/^url: /);
});

test.each(["https://example.com/hook?x=1", "https://8.8.8.8/x", "https://[2606:4700::1111]/x", "https://example.com:8443/x"])(
  "%s is taken",
  (url) => {
    expect(assertTargetUrl(url, "public").href).toBe(url);
  },
);

test("on one machine anything is taken but a password", () => {
  expect(hostOf(assertTargetUrl("http://127.0.0.1:9/x", "any"))).toBe("127.0.0.1");
  expect(() => assertTargetUrl("http://a:b@127.0.0.1:9/x", "any")).toThrow("password");
});

test("no private IPv4 address passes, in whatever form it is written", () => {
  const anyPrivate = fc.oneof(
    fc.integer({ min: 0x0a000000, max: 0x0affffff }),
    fc.integer({ min: 0x7f000000, max: 0x7fffffff }),
    fc.integer({ min: 0xc0a80000, max: 0xc0a8ffff }),
    fc.integer({ min: 0xac100000, max: 0xac1fffff }),
    fc.integer({ min: 0xa9fe0000, max: 0xa9feffff }),
  );
  const forms = [
    (ip: number) => `${ip}`,
    (ip: number) => `0x${ip.toString(16)}`,
    (ip: number) => `0${ip.toString(8)}`,
    (ip: number) => [24, 16, 8, 0].map((shift) => `0${((ip >>> shift) & 255).toString(8)}`).join("."),
    (ip: number) => [24, 16, 8, 0].map((shift) => `0x${((ip >>> shift) & 255).toString(16)}`).join("."),
    (ip: number) => `${ip >>> 24}.${ip & 0xffffff}`,
    (ip: number) => `[::ffff:${(ip >>> 16).toString(16)}:${(ip & 0xffff).toString(16)}]`,
    (ip: number) => `[64:ff9b::${(ip >>> 16).toString(16)}:${(ip & 0xffff).toString(16)}]`,
    (ip: number) => `[2002:${(ip >>> 16).toString(16)}:${(ip & 0xffff).toString(16)}::1]`,
  ];

  fc.assert(
    fc.property(anyPrivate, fc.constantFrom(...forms), (ip, form) => {
      expect(() => assertTargetUrl(`https://${form(ip)}/x`, "public")).toThrow("public address");
    }),
  );
});

test("a name that leads to a private address, or to one beside a public one, is refused after it was looked up", async () => {
  const lookUp = (...addresses: string[]) => checkedAddresses("example.com", "public", async () => addresses);

  expect(await lookUp("93.184.216.34", "2606:2800:220:1::1")).toEqual(["93.184.216.34", "2606:2800:220:1::1"]);
  for (const addresses of [
    ["10.0.0.1"],
    ["93.184.216.34", "127.0.0.1"],
    ["::1"],
    ["::ffff:10.0.0.1"],
    ["fe80::1%eth0"],
    ["not an address"],
  ]) {
    await expect(lookUp(...addresses)).rejects.toThrow("public address");
  }
  await expect(lookUp()).rejects.toThrow("leads nowhere");
  await expect(checkedAddresses("example.com", "public", () => Promise.reject(new Error("ENOTFOUND")))).rejects.toThrow("leads nowhere");
});

test("what is no address is not public", () => {
  for (const text of ["", "example.com", "1.2.3", "::gg"]) expect(isPublicAddress(text)).toBe(false);
});
