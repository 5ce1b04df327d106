import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createResolve } from "./resolve.ts";

/** A name server that knows `both.example`, says of others that they are not there, and of `silent.example` nothing. */
let server: Socket;
let servers: string[];
beforeAll(async () => {
  server = createSocket("udp4");
  server.on("message", (asked, from) => {
    const answer = answerTo(asked);
    if (answer !== undefined) server.send(answer, from.port, from.address);
  });
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  servers = [`127.0.0.1:${server.address().port}`];
});
afterAll(() => server.close());

const ADDRESSES: Readonly<Record<number, Buffer>> = {
  1: Buffer.from([93, 184, 216, 34]),
  28: Buffer.from("26062800022000010248189325c81946", "hex"),
};

/** RFC 1035, 4.1: a head, the question again, and one record that points to its name. */
function answerTo(asked: Buffer): Buffer | undefined {
  const end = asked.indexOf(0, 12);
  const name = asked
    .subarray(12, end)
    .toString("latin1")
    .replace(/[^a-z]+/g, ".");
  if (name.includes("silent")) return undefined;
  const type = asked.readUInt16BE(end + 1);
  const address = name.includes("both") ? ADDRESSES[type] : undefined;
  const head = Buffer.concat([
    asked.subarray(0, 2),
    Buffer.from([0x81, address === undefined ? 0x83 : 0x80, 0, 1, 0, address === undefined ? 0 : 1, 0, 0, 0, 0]),
  ]);
  const question = asked.subarray(12, end + 5);
  if (address === undefined) return Buffer.concat([head, question]);
  const record = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, address.length]);
  return Buffer.concat([head, question, record, address]);
}

test("a name leads to all of its addresses, of both families", async () => {
  const addresses = await createResolve("public", servers)("both.example");

  expect([...addresses].sort()).toEqual(["2606:2800:220:1:248:1893:25c8:1946", "93.184.216.34"]);
});

test("a name that is not there leads nowhere", async () => {
  expect(await createResolve("public", servers)("other.example")).toEqual([]);
});

test("names whose server never answers end by themselves, and hold up nobody else's look-up", async () => {
  const resolve = createResolve("public", servers);
  let ended = 0;
  const silent = Array.from({ length: 50 }, async () => {
    const addresses = await resolve("silent.example");
    ended += 1;
    return addresses;
  });

  await lookup("localhost");
  const endedBefore = ended;
  const found = await Promise.all(silent);

  expect(endedBefore).toBe(0);
  expect(found.flat()).toEqual([]);
}, 20_000);

test("where any target is allowed, names of the machine count", async () => {
  expect(await createResolve("any")("localhost")).toContain("127.0.0.1");
});
