import { expect, test, vi } from "vitest";
import { credentialsOf } from "./credentials.ts";

const KEYS = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };

test("what the environment says is taken as it is, with its session if there is one", async () => {
  expect(await credentialsOf(KEYS)()).toEqual({ accessKeyId: "id", secretAccessKey: "secret" });
  expect(await credentialsOf({ ...KEYS, AWS_SESSION_TOKEN: "session" })()).toMatchObject({ sessionToken: "session" });
});

test.each([{}, { AWS_ACCESS_KEY_ID: "id" }, { ...KEYS, AWS_PROFILE: "work" }])("%j is left to the SDK's own chain", async (identity) => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "the chain's");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");

  expect(await credentialsOf(identity)()).toMatchObject({ accessKeyId: "the chain's" });

  vi.unstubAllEnvs();
});
