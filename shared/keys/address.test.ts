import { expect, test } from "vitest";
import { areWithin, Cidr, createAddressLimit } from "./address.ts";

test("an IPv4 address is the same one when it comes mapped into IPv6, in either notation, and so is a range", () => {
  for (const range of ["10.1.0.0/16", "::ffff:10.1.0.0/112", "::ffff:a01:0/112"]) {
    const allows = createAddressLimit([Cidr.parse(range)]);

    expect(["10.1.2.3", "::ffff:10.1.2.3", "::FFFF:0a01:0203"].map(allows)).toEqual([true, true, true]);
    expect(["10.2.0.1", "::ffff:10.2.0.1", "::10.1.2.3", "2001:db8::1"].map(allows)).toEqual([false, false, false, false]);
  }
});

test("an IPv6 range holds its addresses in every notation, with and without a zone", () => {
  const allows = createAddressLimit([Cidr.parse("2001:DB8::/32"), "fe80::/10"]);

  expect(["2001:db8::1", "2001:0db8:0:0:0:0:0:1", "fe80::1%eth0"].map(allows)).toEqual([true, true, true]);
  expect(["2001:db9::1", "10.0.0.1", "", "localhost", "10.0.0.1, 2001:db8::1"].map(allows)).toEqual([false, false, false, false, false]);
});

test.each([
  ["10.0.0.1", "10.0.0.1/32"],
  ["::ffff:10.0.0.0/104", "10.0.0.0/8"],
  ["2001:DB8:0::/33", "2001:db8::/33"],
  ["0.0.0.0/0", "0.0.0.0/0"],
])("%s is stored as %s", (text, stored) => {
  expect(Cidr.parse(text)).toBe(stored);
});

test.each(["", "10.0.0.0/33", "10.0.0/8", "::ffff:0:0/95", "2001:db8::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "example.com", "fe80::1%eth0"])(
  "%j is no range",
  (text) => {
    expect(Cidr.safeParse(text).success).toBe(false);
  },
);

test("a range lies within another one of its family that is as wide or wider", () => {
  expect(areWithin(["10.1.0.0/16", "192.168.0.1/32"], ["10.0.0.0/8", "192.168.0.0/24"])).toBe(true);
  expect(areWithin(["10.0.0.0/7"], ["10.0.0.0/8"])).toBe(false);
  expect(areWithin(["10.1.0.0/16", "11.0.0.0/16"], ["10.0.0.0/8"])).toBe(false);
  expect(areWithin(["::/0"], ["0.0.0.0/0"])).toBe(false);
});
