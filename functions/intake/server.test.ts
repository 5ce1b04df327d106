import { once } from "node:events";
import type { Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { Failure } from "../../shared/base/failure.ts";
import { createHttpIntakeClient } from "../../shared/models/intake-client.http.ts";
import type { IntakeJob } from "../../shared/models/intake-client.ts";
import { createIntakeServer } from "./server.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(add: (job: IntakeJob) => void): Promise<string> {
  server = createIntakeServer({ add }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
}

test("a job is taken before it is done", async () => {
  const jobs: IntakeJob[] = [];
  const url = await serve((job) => jobs.push(job));

  await createHttpIntakeClient(url).start({ model: "minilm", number: 2 });

  expect(jobs).toEqual([{ model: "minilm", number: 2 }]);
  expect((await fetch(`${url}/ping`)).status).toBe(200);
});

test("a full queue and an intake that is away are told apart", async () => {
  const url = await serve(() => {
    throw new Failure("overloaded", "3 versions wait to be checked.");
  });
  const full = createHttpIntakeClient(url).start({ model: "m", number: 1 });
  await expect(full).rejects.toMatchObject({ code: "overloaded" });
  await new Promise((done) => server?.close(done));

  await expect(createHttpIntakeClient(url).start({ model: "m", number: 1 })).rejects.toMatchObject({ code: "unavailable" });
});

test.each([
  ["no JSON", "{", 400],
  ["no job", "{}", 400],
  ["a name that no model has", '{"model":"../x","number":1}', 400],
  ["a number below 1", '{"model":"m","number":0}', 400],
  ["a body that is too large", JSON.stringify("x".repeat(5_000)), 413],
])("%s is refused", async (_, body, status) => {
  const jobs: IntakeJob[] = [];
  const url = await serve((job) => jobs.push(job));

  const answer = await fetch(`${url}/invocations`, { method: "POST", body });

  expect(answer.status).toBe(status);
  expect(jobs).toEqual([]);
});

test("other paths are not found", async () => {
  const url = await serve(() => {});

  expect((await fetch(`${url}/invocations`)).status).toBe(404);
});
