import { expect, test } from "vitest";
import type { StageConfig } from "../../cdk/config.ts";
import { cpuStage, edgeStage, gpuStage, templateOf } from "./synthesise.ts";
import { allowancesOf, at, resourcesOf, textOf } from "./template.ts";

/** Wildcards that stand, each with its reason. Any other one fails. */
const WILDCARDS: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  {
    pattern: /^<Records\w+\.Arn>\/(bodies|invoices)\/\*$/,
    reason: "objects of one folder: their names are request ids and invoice numbers",
  },
  { pattern: /^<Models\w+\.Arn>\/(incoming|blobs|manifests)\/\*$/, reason: "objects of one folder: their names are hashes" },
  { pattern: /^<EdgeCode\w+\.Arn>\/web-function\/\*$/, reason: "the library's copy function puts bundles there, in a bucket of their own" },
  {
    pattern: /^arn:aws:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-us-east-1\/\*$/,
    reason: "the library's copy function takes bundles from there",
  },
  { pattern: /^s3:(Abort|DeleteObject)\*$/, reason: "the library's copy function, in the bundles' bucket" },
];

const STAGES: readonly [name: string, stage: StageConfig][] = [
  ["cpu", cpuStage],
  ["cpu and gpu", gpuStage],
  ["cpu and edge", edgeStage],
];

/** `action resource` for everything that a role may do beside writing its log, without the hashes in logical ids. */
function rightsOf(stage: StageConfig, role: string): string[] {
  return allowancesOf(templateOf(stage))
    .filter(({ policy }) => policy.startsWith(role))
    .flatMap(({ actions, resources }) => actions.flatMap((action) => resources.map((resource) => `${action} ${resource}`)))
    .map((right) => right.replaceAll(/[0-9A-F]{8}(?=[.>])/g, ""))
    .filter((right) => !right.startsWith("logs:"))
    .sort();
}

test.each(STAGES)("with pools %s no role may do everything, or something to everything", (_, stage) => {
  const texts = allowancesOf(templateOf(stage)).flatMap(({ actions, resources }) => [...actions, ...resources]);

  const wild = texts.filter((text) => text.includes("*") && !WILDCARDS.some(({ pattern }) => pattern.test(text)));

  expect(wild).toEqual([]);
});

test.each(STAGES)("with pools %s roles get no managed policies, but for the one that AWS prescribes for GPU instances", (_, stage) => {
  const roles = resourcesOf(templateOf(stage), "AWS::IAM::Role");

  const managed = roles.flatMap(({ properties }) => [at(properties, "ManagedPolicyArns") ?? []].flat().map(textOf));

  const operator = "arn:<AWS::Partition>:iam::aws:policy/AWSLambdaManagedEC2ResourceOperator";
  expect(managed).toEqual(stage === gpuStage ? [operator] : []);
});

test("an inference function reads checked content and nothing else", () => {
  for (const { name } of gpuStage.pools) {
    expect(rightsOf(gpuStage, `Inference${name}role`)).toEqual([
      "s3:GetObject <ModelsBucket.Arn>/blobs/*",
      "s3:GetObject <ModelsBucket.Arn>/manifests/*",
      "s3:ListBucket <ModelsBucket.Arn>",
    ]);
  }
});

test("the gateway takes uploads and cannot write what intake has checked", () => {
  const rights = rightsOf(cpuStage, "EdgeRole").filter((right) => right.startsWith("s3:"));

  expect(rights).toEqual([
    "s3:GetObject <ModelsBucket.Arn>/blobs/*",
    "s3:GetObject <ModelsBucket.Arn>/manifests/*",
    "s3:GetObject <RecordsBucket.Arn>/bodies/*",
    "s3:GetObject <RecordsBucket.Arn>/invoices/*",
    "s3:ListBucket <ModelsBucket.Arn>",
    "s3:ListBucket <RecordsBucket.Arn>",
    "s3:PutObject <ModelsBucket.Arn>/incoming/*",
    "s3:PutObject <RecordsBucket.Arn>/bodies/*",
  ]);
});

test("the gateway may do to its tables what its code does, and delete nothing", () => {
  const rights = rightsOf(cpuStage, "EdgeRole").filter((right) => right.startsWith("dynamodb:"));

  expect(rights).toEqual([
    "dynamodb:BatchWriteItem <Dynamoledger.Arn>",
    "dynamodb:DescribeTable <Dynamocontrol.Arn>",
    "dynamodb:GetItem <Dynamobalances.Arn>",
    "dynamodb:GetItem <Dynamoevents.Arn>",
    "dynamodb:GetItem <Dynamoidempotency.Arn>",
    "dynamodb:GetItem <Dynamoledger.Arn>",
    "dynamodb:GetItem <Dynamolimits.Arn>",
    "dynamodb:GetItem <Dynamoseals.Arn>",
    "dynamodb:PutItem <Dynamobalances.Arn>",
    "dynamodb:PutItem <Dynamocontrol.Arn>",
    "dynamodb:PutItem <Dynamoevents.Arn>",
    "dynamodb:PutItem <Dynamoidempotency.Arn>",
    "dynamodb:PutItem <Dynamoledger.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>/index/audit",
    "dynamodb:Query <Dynamocontrol.Arn>/index/group",
    "dynamodb:Query <Dynamoevents.Arn>",
    "dynamodb:Query <Dynamoledger.Arn>",
    "dynamodb:Query <Dynamoseals.Arn>",
    "dynamodb:UpdateItem <Dynamoevents.Arn>",
    "dynamodb:UpdateItem <Dynamoidempotency.Arn>",
    "dynamodb:UpdateItem <Dynamoledger.Arn>",
    "dynamodb:UpdateItem <Dynamolimits.Arn>",
  ]);
});

test.each(STAGES)("with pools %s the gateway invokes intake and every pool, and only them", (_, stage) => {
  const invoked = rightsOf(stage, "EdgeRole").filter((right) => right.startsWith("lambda:"));

  const pools = stage.pools.flatMap(({ name, tier }) => {
    if (tier === "edge") return []; // it is in the gateway itself
    const right = `lambda:InvokeFunction <Inference${name}.Arn>`;
    return tier === "gpu" ? [right, `${right}:$LATEST.PUBLISHED`] : [right];
  });
  expect(invoked).toEqual([...pools, "lambda:InvokeFunction <IntakeFunction.Arn>"].sort());
});

test("intake changes versions and content, and cannot touch the ledger, limits or secrets", () => {
  const rights = rightsOf(cpuStage, "IntakeRole").filter((right) => !right.startsWith("sqs:"));

  expect(rights).toEqual([
    "dynamodb:PutItem <Dynamocontrol.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>",
    "s3:AbortMultipartUpload <ModelsBucket.Arn>/blobs/*",
    "s3:DeleteObject <ModelsBucket.Arn>/blobs/*",
    "s3:DeleteObject <ModelsBucket.Arn>/incoming/*",
    "s3:GetObject <ModelsBucket.Arn>/blobs/*",
    "s3:GetObject <ModelsBucket.Arn>/incoming/*",
    "s3:GetObject <ModelsBucket.Arn>/manifests/*",
    "s3:ListBucket <ModelsBucket.Arn>",
    "s3:PutObject <ModelsBucket.Arn>/blobs/*",
    "s3:PutObject <ModelsBucket.Arn>/manifests/*",
  ]);
});

test("the sealer reads rows and expires them, forgets keys of requests, and writes nothing but seals beside", () => {
  const rights = rightsOf(cpuStage, "SealerScheduledRole").filter((right) => !right.startsWith("sqs:"));

  expect(rights).toEqual([
    "dynamodb:DeleteItem <Dynamoidempotency.Arn>",
    "dynamodb:DeleteItem <Dynamoseals.Arn>",
    "dynamodb:GetItem <Dynamoseals.Arn>",
    "dynamodb:PutItem <Dynamoseals.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>/index/audit",
    "dynamodb:Query <Dynamocontrol.Arn>/index/group",
    "dynamodb:Query <Dynamoledger.Arn>",
    "dynamodb:Query <Dynamoseals.Arn>",
    "dynamodb:UpdateItem <Dynamoidempotency.Arn>",
    "dynamodb:UpdateItem <Dynamoledger.Arn>",
    "dynamodb:UpdateItem <Dynamoseals.Arn>",
  ]);
});

test("who settles balances reads seals and prices, and writes balances and events", () => {
  const rights = rightsOf(cpuStage, "BalancesScheduledRole").filter((right) => !right.startsWith("sqs:"));

  expect(rights).toEqual([
    "dynamodb:GetItem <Dynamobalances.Arn>",
    "dynamodb:GetItem <Dynamoevents.Arn>",
    "dynamodb:GetItem <Dynamoseals.Arn>",
    "dynamodb:PutItem <Dynamobalances.Arn>",
    "dynamodb:PutItem <Dynamoevents.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>/index/group",
    "dynamodb:Query <Dynamoseals.Arn>",
  ]);
});

test("who delivers webhooks reads who wants what, keeps the events' table, and can neither bill nor change what people have set", () => {
  const rights = rightsOf(cpuStage, "WebhooksScheduledRole").filter((right) => !right.startsWith("sqs:"));

  expect(rights).toEqual([
    "dynamodb:DeleteItem <Dynamoevents.Arn>",
    "dynamodb:GetItem <Dynamoevents.Arn>",
    "dynamodb:PutItem <Dynamoevents.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>/index/group",
    "dynamodb:Query <Dynamoevents.Arn>",
    "dynamodb:UpdateItem <Dynamoevents.Arn>",
    "secretsmanager:GetSecretValue <SecretsPeppers>",
  ]);
});

test("only the caretaker may change or delete what is written in the control plane, and it touches no bill", () => {
  const rights = rightsOf(cpuStage, "CaretakerScheduledRole").filter((right) => !right.startsWith("sqs:"));

  expect(rights).toEqual([
    "dynamodb:DeleteItem <Dynamobalances.Arn>",
    "dynamodb:DeleteItem <Dynamocontrol.Arn>",
    "dynamodb:DeleteItem <Dynamoevents.Arn>",
    "dynamodb:DeleteItem <Dynamoidempotency.Arn>",
    "dynamodb:DeleteItem <Dynamolimits.Arn>",
    "dynamodb:DeleteItem <Dynamoseals.Arn>",
    "dynamodb:GetItem <Dynamobalances.Arn>",
    "dynamodb:GetItem <Dynamolimits.Arn>",
    "dynamodb:PutItem <Dynamocontrol.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>/index/audit",
    "dynamodb:Query <Dynamocontrol.Arn>/index/group",
    "dynamodb:Query <Dynamoevents.Arn>",
    "dynamodb:Query <Dynamoseals.Arn>",
    "dynamodb:Scan <Dynamoidempotency.Arn>",
    "dynamodb:UpdateItem <Dynamocontrol.Arn>",
    "s3:DeleteObject <RecordsBucket.Arn>/bodies/*",
    "s3:DeleteObject <RecordsBucket.Arn>/invoices/*",
    "secretsmanager:GetSecretValue <SecretsPeppers>",
  ]);
});

test("the scheduler may invoke the function that it is for, and say that it could not", () => {
  expect(rightsOf(cpuStage, "SealerScheduledSchedulerRole")).toEqual([
    "lambda:InvokeFunction <SealerScheduledFunction.Arn>",
    "sqs:SendMessage <SealerScheduledFailed.Arn>",
  ]);
});

test("invoicing reads rows and seals, and writes invoices, their numbers, their documents, and events", () => {
  const rights = rightsOf(cpuStage, "InvoicingScheduledRole").filter((right) => !right.startsWith("sqs:"));

  expect(rights).toEqual([
    "dynamodb:GetItem <Dynamobalances.Arn>",
    "dynamodb:GetItem <Dynamoevents.Arn>",
    "dynamodb:GetItem <Dynamoseals.Arn>",
    "dynamodb:PutItem <Dynamobalances.Arn>",
    "dynamodb:PutItem <Dynamocontrol.Arn>",
    "dynamodb:PutItem <Dynamoevents.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>",
    "dynamodb:Query <Dynamocontrol.Arn>/index/audit",
    "dynamodb:Query <Dynamocontrol.Arn>/index/group",
    "dynamodb:Query <Dynamoledger.Arn>",
    "dynamodb:Query <Dynamoseals.Arn>",
    "dynamodb:UpdateItem <Dynamobalances.Arn>",
    "s3:GetObject <RecordsBucket.Arn>/invoices/*",
    "s3:ListBucket <RecordsBucket.Arn>",
    "s3:PutObject <RecordsBucket.Arn>/invoices/*",
  ]);
});
