import { expect, test } from "vitest";
import type { StageConfig } from "../../cdk/config.ts";
import { GENERATION_SECONDS_MAX, REQUEST_TIMEOUT_MS, SETTLE_TIMEOUT_MS, STREAM_TIMEOUT_MS } from "../../edge/limits.ts";
import { SEAL_AFTER_MS } from "../../functions/sealer/sealer.ts";
import { CLOCKS_APART_MS_MAX } from "../../shared/dynamo/sound-clock.ts";
import { cpuStage, gpuStage, templateOf, validate } from "./synthesise.ts";
import { at, resourceOf, resourcesOf, textOf } from "./template.ts";

/** Why a function has nowhere to put what it could not do. */
const NO_DEAD_LETTERS: readonly { readonly id: RegExp; readonly reason: string }[] = [
  { id: /^Inference/, reason: "called synchronously: the gateway learns of the failure and answers its caller" },
  { id: /^EdgeFunction/, reason: "answers HTTP: its caller learns of the failure" },
  { id: /^CustomS3ObjectCopy/, reason: "called by CloudFormation, which rolls back when it fails" },
];

const STAGES: readonly [name: string, stage: StageConfig][] = [
  ["cpu", cpuStage],
  ["cpu and gpu", gpuStage],
];

const functionsOf = (stage: StageConfig) => resourcesOf(templateOf(stage), "AWS::Lambda::Function");
const gatewayOf = (stage: StageConfig) => resourceOf(templateOf(stage), "AWS::Lambda::WebFunctionRevision");

test.each(STAGES)("with pools %s the validators of CloudFormation and cdk-nag have nothing to say", (_, stage) => {
  validate(stage);
});

test.each(STAGES)("with pools %s every function writes a log that is kept for the configured time", (_, stage) => {
  const groups = resourcesOf(templateOf(stage), "AWS::Logs::LogGroup");
  const daysOf = new Map(groups.map(({ id, properties }) => [`<${id}>`, at(properties, "RetentionInDays")]));

  const logs = functionsOf(stage).map(({ properties }) => at(properties, "LoggingConfig.LogGroup"));
  logs.push(at(gatewayOf(stage).properties, "ServiceConfig.TelemetryConfig.LoggingConfig.LogGroup"));

  expect(logs.map((log) => daysOf.get(textOf(log)))).toEqual(logs.map(() => stage.logRetentionDays));
  expect([...daysOf.values()]).not.toContain(undefined);
});

test.each(STAGES)("with pools %s every function has a place for what failed, or a reason to need none", (_, stage) => {
  const template = templateOf(stage);
  const destinations = resourcesOf(template, "AWS::Lambda::EventInvokeConfig").filter(
    ({ properties }) => at(properties, "DestinationConfig.OnFailure.Destination") !== undefined,
  );
  const covered = new Set(destinations.map(({ properties }) => textOf(at(properties, "FunctionName"))));

  const all = [...functionsOf(stage), ...resourcesOf(template, "AWS::Lambda::WebFunction")];
  const bare = all.filter(({ id }) => !covered.has(`<${id}>`) && !NO_DEAD_LETTERS.some((each) => each.id.test(id)));

  expect(bare.map(({ id }) => id)).toEqual([]);
});

test("the sealer is called every five minutes, and a call that failed is not repeated: the next one does its work", () => {
  const template = templateOf(cpuStage);

  expect(resourceOf(template, "AWS::Scheduler::Schedule", "Sealer").properties).toMatchObject({
    ScheduleExpression: "rate(5 minutes)",
    Target: { RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 300 } },
  });
  expect(resourceOf(template, "AWS::Lambda::EventInvokeConfig", "Sealer").properties).toMatchObject({ MaximumRetryAttempts: 0 });
});

test("a call that waits for its function waits no longer than until the next one, wherever it waits", () => {
  const template = templateOf(cpuStage);
  const schedules = resourcesOf(template, "AWS::Scheduler::Schedule");
  const nameOf = (id: string) => id.replace(/Scheduled.*$/, "");

  const ages = schedules.map(({ id }) => {
    const { properties } = resourceOf(template, "AWS::Lambda::EventInvokeConfig", nameOf(id));
    return [nameOf(id), at(properties, "MaximumEventAgeInSeconds")];
  });

  expect(ages).toEqual(schedules.map(({ id, properties }) => [nameOf(id), at(properties, "Target.RetryPolicy.MaximumEventAgeInSeconds")]));
  expect(schedules.length).toBeGreaterThan(4);
});

test("intake is tried again twice, within an hour", () => {
  expect(resourceOf(templateOf(cpuStage), "AWS::Lambda::EventInvokeConfig", "Intake").properties).toMatchObject({
    MaximumRetryAttempts: 2,
    MaximumEventAgeInSeconds: 3600,
  });
});

test.each(STAGES)("with pools %s nothing gives up before the gateway does", (_, stage) => {
  const distribution = resourceOf(templateOf(stage), "AWS::CloudFront::Distribution").properties;
  const inference = functionsOf(stage).filter(({ id }) => id.startsWith("Inference"));

  // CloudFront waits for a packet, and a stream has one at every heartbeat; the others wait for the end.
  const packet = at(distribution, "DistributionConfig.Origins.0.CustomOriginConfig.OriginReadTimeout");
  const ends = [
    at(gatewayOf(stage).properties, "ServiceConfig.TimeoutSeconds"),
    ...inference.map(({ properties }) => at(properties, "Timeout")),
  ];

  const generationS = Number(at(gatewayOf(stage).properties, "ServiceConfig.EnvironmentVariables.WEIR_GENERATION_SECONDS"));
  expect(Number(packet)).toBeGreaterThan(Math.max(generationS, REQUEST_TIMEOUT_MS / 1000) + SETTLE_TIMEOUT_MS / 1000);
  const longestS = (STREAM_TIMEOUT_MS + SETTLE_TIMEOUT_MS) / 1000;
  expect(ends.filter((timeout) => !(Number(timeout) > longestS))).toEqual([]);
});

test("the longest whole answer has its row before its minute can be closed", () => {
  const latestMs = GENERATION_SECONDS_MAX * 1_000 + SETTLE_TIMEOUT_MS + CLOCKS_APART_MS_MAX;

  expect(latestMs).toBeLessThan(SEAL_AFTER_MS);
});

test("a pool's concurrency bounds it", () => {
  const pool = cpuStage.pools.find(({ tier }) => tier === "cpu");

  const cpu = resourceOf(templateOf(cpuStage), "AWS::Lambda::Function", "Inferencecpu");

  expect(at(cpu.properties, "ReservedConcurrentExecutions")).toBe(pool?.tier === "cpu" && pool.concurrency);
});

test("one entry more in the configuration adds a pool of GPUs that scales to zero", () => {
  const gpu = resourceOf(templateOf(gpuStage), "AWS::Lambda::Function", "Inferencegpu");

  expect(gpu.properties).toMatchObject({
    PackageType: "Image",
    Architectures: ["x86_64"],
    AcceleratorConfig: { AcceleratorMemorySize: 24 },
    PublishToLatestPublished: true,
    FunctionScalingConfig: { MinExecutionEnvironments: 0, MaxExecutionEnvironments: 2 },
    CapacityProviderConfig: { LambdaManagedInstancesCapacityProviderConfig: { PerExecutionEnvironmentMaxConcurrency: 8 } },
  });
  expect(resourcesOf(templateOf(gpuStage), "AWS::Lambda::CapacityProvider")).toHaveLength(1);
});

test("without that entry there is no network, and nothing that costs while idle", () => {
  const types = new Set(Object.values(templateOf(cpuStage).Resources).map(({ Type }) => Type));

  expect([...types].filter((type) => /^AWS::EC2|CapacityProvider/.test(type))).toEqual([]);
});
