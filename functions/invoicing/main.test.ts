import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startDynamo, type TestDynamo } from "../../test/harness/dynamo.ts";

let store: TestDynamo;
beforeAll(async () => {
  store = await startDynamo();
});
afterAll(() => store.close());

async function startPart(): Promise<ChildProcess> {
  const env = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", WEIR_DYNAMO_ENDPOINT: store.endpoint };
  const part = fork(join(import.meta.dirname, "main.node.ts"), { env, execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const [message] = await once(part, "message");
  expect(message).toEqual({ ready: true, port: 0 });
  return part;
}

test("the part says that it is ready and ends when told to", async () => {
  const part = await startPart();

  part.kill("SIGTERM");

  expect(await once(part, "exit")).toEqual([0, null]);
});
