import { afterEach, expect, test } from "vitest";
import { createSecretReader } from "../../shared/secrets/secret-reader.secrets-manager.ts";
import { startSecretsManager, type TestSecretsManager } from "../../test/harness/secrets-manager.ts";
import { readWebFunctionConfig } from "./config.ts";
import { withSecrets } from "./secrets.ts";

const BASE = { AWS_REGION: "eu-central-1", AWS_LAMBDA_HTTP_ENDPOINT: "0.0.0.0:3000" };
const ARNS = {
  WEIR_SECRET_PEPPERS: "arn:p",
  WEIR_SECRET_RECEIPTS: "arn:r",
  WEIR_SECRET_ORIGIN_A: "arn:a",
  WEIR_SECRET_ORIGIN_B: "arn:b",
  WEIR_SECRET_UPSTREAM: "arn:u",
};

let store: TestSecretsManager | undefined;
afterEach(() => store?.close());

async function resolve(secrets: Record<string, string>, environment: Record<string, string>) {
  store = await startSecretsManager(secrets);
  const credentials = async () => ({ accessKeyId: "test", secretAccessKey: "test" });
  const reader = createSecretReader({ region: "eu-central-1", credentials, endpoint: store.endpoint });
  try {
    return await withSecrets(readWebFunctionConfig({ ...BASE, ...environment }), reader);
  } finally {
    await reader.close();
  }
}

test("the environment gains the peppers, the receipts' keys, both origin secrets and the engines' keys, and loses nothing", async () => {
  const secrets = {
    "arn:p": '{"1":"pepper"}',
    "arn:r": '{"1":"signing"}',
    "arn:a": "origin a",
    "arn:b": "origin b",
    "arn:u": '{"WEIR_UPSTREAM_OPENAI":{"value":"sk","origins":["https://api.openai.com"]}}',
  };

  const environment = await resolve(secrets, { ...ARNS, WEIR_CELL: "c7" });

  expect(environment).toMatchObject({
    WEIR_CELL: "c7",
    WEIR_PEPPERS: '{"1":"pepper"}',
    WEIR_RECEIPT_KEYS: '{"1":"signing"}',
    WEIR_ORIGIN_SECRETS: '["origin a","origin b"]',
    WEIR_UPSTREAM_OPENAI: '{"value":"sk","origins":["https://api.openai.com"]}',
  });
});

test("without ARNs nothing is asked for and the environment stays as it is", async () => {
  const environment = await resolve({}, { WEIR_PEPPERS: '{"1":"given"}' });

  expect(environment).toEqual({ ...BASE, WEIR_PEPPERS: '{"1":"given"}' });
  expect(store?.asked).toEqual([]);
});

test("a secret that is not there stops the start, after three tries", async () => {
  await expect(resolve({}, { WEIR_SECRET_PEPPERS: "arn:p" })).rejects.toThrow("a secret of this installation could not be read");

  expect(store?.asked).toEqual(["arn:p", "arn:p", "arn:p"]);
});

test("the engines' secret may set engines' keys only", async () => {
  const overreach = { "arn:u": '{"WEIR_PEPPERS":"{}"}' };

  await expect(resolve(overreach, { WEIR_SECRET_UPSTREAM: "arn:u" })).rejects.toThrow("WEIR_PEPPERS");
});

test.each(['{"WEIR_UPSTREAM_OPENAI":"sk-secret"}', "sk-secret", '{"WEIR_UPSTREAM_OPENAI":{"value":"sk-secret"}}'])(
  "an engine's key that is bound to no origin stops the start: %s",
  async (secret) => {
    const resolved = resolve({ "arn:u": secret }, { WEIR_SECRET_UPSTREAM: "arn:u" });

    await expect(resolved).rejects.toThrow(/^The secret with the engines' keys is wrong:/);
    await expect(resolved).rejects.not.toThrow("sk-secret");
  },
);

test.each([
  ["0.0.0.0:3000", { host: "0.0.0.0", port: 3000 }],
  ["[::1]:80", { host: "::1", port: 80 }],
])("the endpoint %s is an address to listen on", (text, address) => {
  expect(readWebFunctionConfig({ ...BASE, AWS_LAMBDA_HTTP_ENDPOINT: text }).AWS_LAMBDA_HTTP_ENDPOINT).toEqual(address);
});

test.each(["", "3000", "localhost", "host:70000"])("the endpoint '%s' is refused by name", (text) => {
  expect(() => readWebFunctionConfig({ ...BASE, AWS_LAMBDA_HTTP_ENDPOINT: text })).toThrow("AWS_LAMBDA_HTTP_ENDPOINT");
});
