import { expect, test } from "vitest";
import { createHeldBytes } from "./held-bytes.ts";
import { HELD_BYTES_MAX, TENANT_HELD_BYTES_MAX } from "./limits.ts";

const OVERLOADED = expect.objectContaining({ code: "overloaded", retryAfterMs: 1_000 });

test("a tenant holds no more than its part, over all of its requests, and others hold theirs", () => {
  const open = createHeldBytes();
  const [first, second] = [open("acme"), open("acme")];
  first.take(TENANT_HELD_BYTES_MAX - 1);

  expect(() => second.take(2)).toThrow(OVERLOADED);
  second.take(1);
  open("globex").take(TENANT_HELD_BYTES_MAX);

  first.release();
  second.take(TENANT_HELD_BYTES_MAX - 1);
});

test("all tenants together hold no more than there is", () => {
  const open = createHeldBytes();
  const tenants = Math.floor(HELD_BYTES_MAX / TENANT_HELD_BYTES_MAX);
  for (let at = 0; at < tenants; at += 1) open(`tenant-${at}`).take(TENANT_HELD_BYTES_MAX);

  expect(() => open("one-more").take(TENANT_HELD_BYTES_MAX)).toThrow(OVERLOADED);
});

test("an answer is never refused, but as long as nobody takes it its tenant starts nothing new", () => {
  const open = createHeldBytes();
  const unread = open("acme");
  unread.keep(2 * TENANT_HELD_BYTES_MAX);

  expect(() => open("acme").take(1)).toThrow(OVERLOADED);
  unread.release();
  unread.release();
  open("acme").take(TENANT_HELD_BYTES_MAX);
});
