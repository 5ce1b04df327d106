import { expect, test } from "vitest";
import type { StageConfig } from "../../cdk/config.ts";
import { REVOCATION_UNMEASURED } from "../../shared/keys/revocation.ts";
import { REFUSED_BY_CLOCK } from "../../shared/schedule/sound-time.ts";
import { cpuStage, gpuStage, templateOf } from "./synthesise.ts";
import { at, type Resource, resourceOf, resourcesOf, textOf } from "./template.ts";

const STAGES: readonly [name: string, stage: StageConfig][] = [
  ["cpu", cpuStage],
  ["cpu and gpu", gpuStage],
];

const alarmsOf = (stage: StageConfig) => resourcesOf(templateOf(stage), "AWS::CloudWatch::Alarm");
const nameOf = ({ properties }: Resource) => textOf(at(properties, "AlarmName"));
const topicOf = (stage: StageConfig) => resourceOf(templateOf(stage), "AWS::SNS::Topic");

test.each(STAGES)(
  "with pools %s every alarm has a name of its own, says what it means, and tells of its beginning and its end",
  (_, stage) => {
    const topic = `<${topicOf(stage).id}>`;

    const names = alarmsOf(stage).map(nameOf);
    expect(new Set(names).size).toBe(names.length);
    for (const { properties } of alarmsOf(stage)) {
      expect(textOf(at(properties, "AlarmDescription")).length).toBeGreaterThan(60);
      for (const actions of ["AlarmActions", "OKActions"]) expect([at(properties, actions)].flat().map(textOf)).toEqual([topic]);
    }
  },
);

test("every function that comes round by itself has alarms of rounds that fail, of none, of its clock, and of what it leaves", () => {
  const template = templateOf(cpuStage);
  const functions = resourcesOf(template, "AWS::Scheduler::Schedule").map(({ id }) => id.replace(/Scheduled.*$/, "").toLowerCase());
  expect(functions.length).toBeGreaterThan(4);

  const names = alarmsOf(cpuStage).map(nameOf);

  for (const each of functions)
    for (const trouble of ["fails", "does not run", "has a wrong clock", "logs errors"])
      expect(names).toContain(`Weir prod-us-east-1 ${each} ${trouble}`);
});

test("a function that is not called is noticed after three of its intervals, by what is missing", () => {
  const silent = alarmsOf(cpuStage).filter((alarm) => nameOf(alarm).endsWith("does not run"));

  expect(silent.map(({ properties }) => at(properties, "TreatMissingData"))).toEqual(silent.map(() => "breaching"));
  expect(Object.fromEntries(silent.map((each) => [nameOf(each).split(" ")[2], at(each.properties, "Period")]))).toEqual({
    sealer: 15 * 60,
    balances: 15 * 60,
    webhooks: 15 * 60,
    invoicing: 90 * 60,
    caretaker: 180 * 60,
  });
});

test.each(STAGES)("with pools %s no other alarm is raised by an installation at rest", (_, stage) => {
  const rest = alarmsOf(stage).filter((alarm) => !nameOf(alarm).endsWith("does not run"));

  for (const { properties } of rest) {
    expect(at(properties, "TreatMissingData")).toBe("notBreaching");
    expect(at(properties, "ComparisonOperator")).toBe("GreaterThanOrEqualToThreshold");
    expect(at(properties, "Threshold")).toBeGreaterThan(0);
  }
});

test.each(STAGES)("with pools %s whatever is counted in logs has its alarm", (_, stage) => {
  const counted = resourcesOf(templateOf(stage), "AWS::Logs::MetricFilter").flatMap(({ properties }) => {
    const [{ MetricName, MetricNamespace }] = at(properties, "MetricTransformations") as [{ MetricName: string; MetricNamespace: string }];
    return [`${MetricNamespace} ${MetricName}`];
  });
  const alarmed = alarmsOf(stage).map(({ properties }) => `${at(properties, "Namespace")} ${at(properties, "MetricName")}`);

  expect(new Set(counted).size).toBe(counted.length);
  expect(counted.filter((metric) => !alarmed.includes(metric))).toEqual([]);
});

test("rounds that a clock refused are counted by what they log", () => {
  const filters = resourcesOf(templateOf(cpuStage), "AWS::Logs::MetricFilter").map(({ properties }) => properties);

  expect(filters).toContainEqual({
    FilterPattern: `{ $.message = "${REFUSED_BY_CLOCK}" }`,
    LogGroupName: { Ref: expect.stringMatching(/^Caretaker/) },
    MetricTransformations: [{ MetricName: "RoundsRefusedByClock-caretaker", MetricNamespace: "Weir", MetricValue: "1", DefaultValue: 0 }],
  });
});

test("a canary that cannot measure is told of, by what it logs", () => {
  const counted = resourcesOf(templateOf(cpuStage), "AWS::Logs::MetricFilter").map(({ properties }) => properties);

  expect(counted).toContainEqual({
    FilterPattern: `{ $.message = "${REVOCATION_UNMEASURED}" }`,
    LogGroupName: { Ref: expect.stringMatching(/^Caretaker/) },
    MetricTransformations: [{ MetricName: "RevocationUnmeasured", MetricNamespace: "Weir", MetricValue: "1", DefaultValue: 0 }],
  });
  const [alarm] = alarmsOf(cpuStage).filter((each) => nameOf(each).endsWith("revocation is not measured"));
  expect(alarm?.properties).toMatchObject({ MetricName: "RevocationUnmeasured", Period: 3 * 3600, Threshold: 2, EvaluationPeriods: 1 });
});

test("every table, every pool and every function's log has an alarm", () => {
  const template = templateOf(gpuStage);
  const names = alarmsOf(gpuStage).map((alarm) => nameOf(alarm).replace("Weir prod-us-east-1 ", ""));

  const tables = resourcesOf(template, "AWS::DynamoDB::GlobalTable").map(({ properties }) => at(properties, "TableName"));
  expect(names.filter((name) => name.endsWith("is throttled"))).toHaveLength(tables.length);
  for (const pool of gpuStage.pools) expect(names).toContain(`pool ${pool.name} fails`);
  for (const name of ["gateway", "intake", "pool cpu", "pool gpu"]) expect(names).toContain(`${name} logs errors`);
});

test("CloudWatch alone may publish, encrypted on the way, and only who is named is told", () => {
  const template = templateOf({ ...cpuStage, alarmEmails: ["ops@example.com"] });
  const { id } = resourceOf(template, "AWS::SNS::Topic");

  expect(resourceOf(template, "AWS::SNS::Subscription").properties).toEqual({
    Endpoint: "ops@example.com",
    Protocol: "email",
    TopicArn: { Ref: id },
  });
  const statements = at(resourceOf(template, "AWS::SNS::TopicPolicy").properties, "PolicyDocument.Statement");
  expect(statements).toContainEqual(
    expect.objectContaining({
      Effect: "Allow",
      Action: "sns:Publish",
      Principal: { Service: "cloudwatch.amazonaws.com" },
      Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
    }),
  );
  expect(statements).toContainEqual(expect.objectContaining({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }));
  expect(resourcesOf(templateOf(cpuStage), "AWS::SNS::Subscription")).toEqual([]);
});

test("the share of 5xx is looked at where CloudFront counts it", () => {
  const named = (stage: StageConfig) => alarmsOf(stage).map(nameOf);

  expect(named(cpuStage)).toContain("Weir prod-us-east-1 answers are 5xx");
  expect(named({ ...cpuStage, region: "eu-central-1" })).not.toContain("Weir prod-eu-central-1 answers are 5xx");
});
