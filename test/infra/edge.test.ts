import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { StageConfig } from "../../cdk/config.ts";
import { readConfig } from "../../edge/config.ts";
import { ORIGIN_HEADER } from "../../edge/middleware/require-origin.ts";
import { readWebFunctionConfig } from "../../edge/web-function/config.ts";
import { withSecrets } from "../../edge/web-function/secrets.ts";
import { readConfig as readCaretakerConfig } from "../../functions/caretaker/config.ts";
import { readConfig as readInferenceConfig } from "../../functions/inference/config.ts";
import { readConfig as readIntakeConfig } from "../../functions/intake/config.ts";
import { cpuStage, edgeStage, gpuStage, templateOf } from "./synthesise.ts";
import { at, type Resource, resourceOf, resourcesOf, textOf } from "./template.ts";

const gatewayOf = (stage: StageConfig) => resourceOf(templateOf(stage), "AWS::Lambda::WebFunctionRevision");
const intakeOf = (stage: StageConfig) => resourceOf(templateOf(stage), "AWS::Lambda::Function", "Intake");
const distributionOf = (stage: StageConfig) => resourceOf(templateOf(stage), "AWS::CloudFront::Distribution").properties;

/** What the gateway reads in the cloud: its environment, and values such as CloudFormation generates for its secrets. */
async function gatewayConfigOf(stage: StageConfig) {
  const environment = environmentOf(gatewayOf(stage));
  const platform = readWebFunctionConfig({ ...environment, AWS_REGION: stage.region, AWS_LAMBDA_HTTP_ENDPOINT: "0.0.0.0:3000" });
  const values: Record<string, string> = {
    [String(platform.WEIR_SECRET_PEPPERS)]: '{"1":"48 letters and digits"}',
    [String(platform.WEIR_SECRET_RECEIPTS)]: '{"1":"48 letters and digits that a key is made of"}',
    [String(platform.WEIR_SECRET_ORIGIN_A)]: "the first origin secret",
    [String(platform.WEIR_SECRET_ORIGIN_B)]: "the second origin secret",
    [String(platform.WEIR_SECRET_UPSTREAM)]: "{}",
  };
  return readConfig(await withSecrets(platform, { read: async (arn) => values[arn] ?? "", close: async () => undefined }));
}

test("the gateway's environment and its secrets are a configuration that the gateway accepts", async () => {
  const config = await gatewayConfigOf(gpuStage);

  const { name, cell, tablePrefix, ledgerShards, pools } = gpuStage;
  expect(config).toMatchObject({ WEIR_ENV: name, WEIR_CELL: cell, WEIR_TABLE_PREFIX: tablePrefix, WEIR_SHARDS: ledgerShards });
  expect(config.WEIR_BUCKET).toMatch(/^<ModelsBucket/);
  expect(config.WEIR_POOLS).toEqual(
    pools.map(({ name, tier }) => ({ name, tier, kind: "lambda", functionName: expect.stringContaining(`<Inference${name}`) })),
  );
  expect(config.WEIR_INTAKE).toEqual({ kind: "lambda", functionName: expect.stringContaining("<IntakeFunction") });
  expect(config.WEIR_ORIGIN_SECRETS).toHaveLength(2);
  expect(config.engines).toEqual({ origins: [], credentials: new Map() });
});

test("an edge pool is threads of the gateway, with a function for none of it", async () => {
  const { WEIR_POOLS: pools } = await gatewayConfigOf(edgeStage);

  expect(pools.map(({ kind }) => kind)).toEqual(["lambda", "wasm"]);
  expect(pools.at(-1)).toEqual({
    ...{ name: "edge", tier: "edge", kind: "wasm", threads: 1, memoryMib: 512 },
    ...{ cacheDir: expect.stringMatching(/^\/tmp\//), cacheMib: expect.any(Number) },
  });
  const functionsOf = (stage: StageConfig) => resourcesOf(templateOf(stage), "AWS::Lambda::Function").length;
  expect(functionsOf(edgeStage)).toBe(functionsOf(cpuStage));
});

test("intake's environment is a configuration that intake accepts, and fits its memory and disk", () => {
  const intake = intakeOf(cpuStage);

  const config = readIntakeConfig(environmentOf(intake));

  expect(config.WEIR_TABLE_PREFIX).toBe(cpuStage.tablePrefix);
  expect(config.WEIR_GOLDEN_MEMORY_MIB).toBeLessThan(Number(at(intake.properties, "MemorySize")));
  expect(config.WEIR_FOLDER_MIB_MAX).toBeLessThan(Number(at(intake.properties, "EphemeralStorage.Size")));
});

test.each(gpuStage.pools)("the environment of pool $name is a configuration that the inference function accepts", (pool) => {
  const created = resourceOf(templateOf(gpuStage), "AWS::Lambda::Function", `Inference${pool.name}`);

  const config = readInferenceConfig(environmentOf(created));

  expect(config.WEIR_TIER).toBe(pool.tier);
  expect(config.WEIR_SESSION_MEMORY_MIB).toBeLessThan(pool.memoryMiB);
  expect(config.WEIR_CACHE_MIB).toBeLessThan(Number(at(created.properties, "EphemeralStorage.Size")));
});

test("the caretaker's environment is a configuration that it accepts, and it goes through the front as callers do", () => {
  const created = resourceOf(templateOf(cpuStage), "AWS::Lambda::Function", "CaretakerScheduledFunction");
  const environment = environmentOf(created);
  const url = environment["WEIR_GATEWAY_URL"]?.replace(/<.*>/, "front.example");

  const config = readCaretakerConfig({ ...environment, WEIR_GATEWAY_URL: url });

  expect(config).toMatchObject({ WEIR_ENV: cpuStage.name, WEIR_CELL: cpuStage.cell, WEIR_TABLE_PREFIX: cpuStage.tablePrefix });
  expect(environment["WEIR_GATEWAY_URL"]).toMatch(/^https:\/\/<FrontDistribution/);
});

test("no function's environment holds a secret", () => {
  const environments = [gatewayOf(gpuStage), ...resourcesOf(templateOf(gpuStage), "AWS::Lambda::Function")].map(environmentOf);

  expect(JSON.stringify(environments)).not.toMatch(/resolve:|WEIR_PEPPERS|WEIR_ORIGIN_SECRETS/);
});

test("CloudFront passes everything on over TLS and caches nothing", () => {
  const distribution = distributionOf(cpuStage);

  expect(at(distribution, "DistributionConfig.HttpVersion")).toBe("http2and3");
  expect(at(distribution, "DistributionConfig.DefaultCacheBehavior")).toMatchObject({
    AllowedMethods: expect.arrayContaining(["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]),
    CachePolicyId: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", // Managed-CachingDisabled
    OriginRequestPolicyId: "b689b0a8-53d0-40ab-baf2-68738e2966ac", // Managed-AllViewerExceptHostHeader
    ViewerProtocolPolicy: "https-only",
  });
  // Origin access control would overwrite Authorization.
  expect(at(distribution, "DistributionConfig.Origins.0.OriginAccessControlId")).toBeUndefined();
});

test("CloudFront overwrites the header by which the gateway knows who calls, whatever the caller has put there", async () => {
  const { WEIR_TRUSTED_PROXIES: proxies } = await gatewayConfigOf(cpuStage);
  const [stamp, ...others] = resourcesOf(templateOf(cpuStage), "AWS::CloudFront::Function");
  const associations = at(distributionOf(cpuStage), "DistributionConfig.DefaultCacheBehavior.FunctionAssociations");
  const header = at(proxies, "header");
  const event = {
    viewer: { ip: "2001:db8::1" },
    request: { headers: { [String(header)]: { value: "10.0.0.1" }, accept: { value: "*" } } },
  };

  const passed: unknown = runInNewContext(`${at(stamp?.properties, "FunctionCode")}\nhandler(event)`, { event });

  expect(others).toEqual([]);
  expect(at(associations, "0.EventType")).toBe("viewer-request");
  expect(textOf(at(associations, "0.FunctionARN"))).toContain(stamp?.id);
  expect(passed).toMatchObject({ headers: { [String(header)]: { value: "2001:db8::1" }, accept: { value: "*" } } });
});

test.each(["a", "b"] as const)("CloudFront proves itself with origin secret %s when the configuration says so", (origin) => {
  const stage = { ...cpuStage, secrets: { ...cpuStage.secrets, origin } };

  const header = at(distributionOf(stage), "DistributionConfig.Origins.0.OriginCustomHeaders.0");

  expect(at(header, "HeaderName")).toBe(ORIGIN_HEADER);
  const secret = `SecretsOrigin${origin.toUpperCase()}`;
  expect(textOf(at(header, "HeaderValue"))).toMatch(new RegExp(`^{{resolve:secretsmanager:<${secret}\\w+>:SecretString:::}}$`));
});

test("a domain brings its certificate and a TLS policy; without one there is neither", () => {
  expect(distributionOf(gpuStage)).toMatchObject({
    DistributionConfig: { Aliases: ["api.example.com"], ViewerCertificate: { MinimumProtocolVersion: "TLSv1.2_2021" } },
  });
  expect(at(distributionOf(cpuStage), "DistributionConfig.Aliases")).toBeUndefined();
});

test("the gateway's own address is bounded in its environments", () => {
  expect(resourceOf(templateOf(cpuStage), "AWS::Lambda::WebFunctionEndpoint").properties).toMatchObject({
    ScalingConfig: { MaxEnvironments: cpuStage.gateway.environmentsMax },
  });
});

function environmentOf({ properties }: Resource): Record<string, string> {
  const variables = at(properties, "Environment.Variables") ?? at(properties, "ServiceConfig.EnvironmentVariables") ?? {};
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, textOf(value)]));
}
