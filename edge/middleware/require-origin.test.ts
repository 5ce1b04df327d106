import { Hono } from "hono";
import { expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import type { EdgeEnv } from "../env.ts";
import { requireOrigin } from "./require-origin.ts";

const [OLD, NEW] = ["the old secret of 24 letters", "the new secret of 24 letters"];

async function statusWith(secrets: string[], header: string | undefined): Promise<number> {
  const app = new Hono<EdgeEnv>()
    .onError((error, c) => c.text(error.message, error instanceof Failure && error.code === "forbidden" ? 403 : 500))
    .use(requireOrigin({ config: { WEIR_ORIGIN_SECRETS: secrets } }))
    .get("/", (c) => c.text("through"));
  const answer = await app.request("/", { headers: header === undefined ? {} : { "weir-origin": header } });
  return answer.status;
}

test("during a rotation both secrets pass", async () => {
  expect(await statusWith([OLD, NEW], OLD)).toBe(200);
  expect(await statusWith([OLD, NEW], NEW)).toBe(200);
});

test.each([undefined, "", "wrong", OLD.slice(0, -1), `${OLD} `.concat("x")])("the header %j is refused", async (header) => {
  expect(await statusWith([OLD, NEW], header)).toBe(403);
});

test("without origin secrets, as on one machine, everybody passes", async () => {
  expect(await statusWith([], undefined)).toBe(200);
});
