import { expect, test } from "vitest";
import { parseShare, percentOf } from "./share.ts";

test("every share from 0.01 % to 100 % is read and written exactly", () => {
  for (let shareBps = 1; shareBps <= 10_000; shareBps += 1) {
    expect(parseShare(`7=${percentOf(shareBps)}`)).toEqual({ version: 7, shareBps });
  }
});

test.each([
  ["1=90%", 9000],
  ["1=90.0%", 9000],
  ["1=33.3%", 3330],
  ["1=0.01%", 1],
  ["1=100.00%", 10_000],
])("%s is %i basis points", (text, shareBps) => {
  expect(parseShare(text).shareBps).toBe(shareBps);
});

test.each([
  "1=0%",
  "1=0.00%",
  "1=0.001%",
  "1=90",
  "0=90%",
  "01=90%",
  "=90%",
  "1=",
  "1=-5%",
  "1=1e2%",
  "1=.5%",
  "1=90 %",
  "a=90%",
  "1=90%%",
])("%s is not a share", (text) => {
  expect(() => parseShare(text)).toThrow("is not a share");
});
