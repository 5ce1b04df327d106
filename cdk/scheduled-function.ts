import { fileURLToPath } from "node:url";
import { AssetHashType, DockerImage, Duration } from "aws-cdk-lib";
import { Grant, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime } from "aws-cdk-lib/aws-lambda";
import { SqsDestination } from "aws-cdk-lib/aws-lambda-destinations";
import { FilterPattern, type LogGroup } from "aws-cdk-lib/aws-logs";
import { CfnSchedule } from "aws-cdk-lib/aws-scheduler";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { REFUSED_BY_CLOCK } from "../shared/schedule/sound-time.ts";
import { acknowledge } from "./acknowledgements.ts";
import { type Alarms, alarmOfErrors, countLines } from "./alarms.ts";
import { bundleFunction } from "./bundle.ts";
import type { StageConfig } from "./config.ts";
import { FunctionRole } from "./function-role.ts";

const TIMEOUT = Duration.minutes(15);
const FAILED_KEPT = Duration.days(14);
const PERIOD_MINUTES_MIN = 5;
/** One round that fails is made up for by the next. */
const FAILING_PERIODS = 3;
const SILENT_INTERVALS = 3;
const SILENT_MINUTES_MIN = 15;

export type ScheduledFunctionProps = {
  readonly stage: StageConfig;
  readonly alarms: Alarms;
  /** The folder below functions/ whose `main.lambda.ts` exports `handler`. */
  readonly name: string;
  readonly description: string;
  /** In whole minutes. A round that is late or lost is made up for by the next one. */
  readonly every: Duration;
  readonly memoryMiB: number;
  readonly environment: Readonly<Record<string, string>>;
};

/** A Lambda function that EventBridge Scheduler calls again and again; what failed lies in its queue. Whoever makes one gives `role` its rights. */
export class ScheduledFunction extends Construct {
  readonly role: Role;
  readonly log: LogGroup;

  constructor(scope: Construct, id: string, props: ScheduledFunctionProps) {
    super(scope, id);
    const { role, log } = new FunctionRole(this, "Role", props.stage.logRetentionDays);
    this.role = role;
    this.log = log;
    const failed = createQueue(this);
    const made = new LambdaFunction(this, "Function", {
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: codeOf(props.name),
      handler: "index.handler",
      role,
      logGroup: log,
      loggingFormat: LoggingFormat.JSON,
      memorySize: props.memoryMiB,
      timeout: TIMEOUT,
      environment: { NODE_ENV: "production", ...props.environment },
      onFailure: new SqsDestination(failed),
      // The next round does what this one could not.
      retryAttempts: 0,
      // Lambda itself would keep calls that it throttles for six hours, and then make hundreds of a minute's rounds at once.
      maxEventAge: props.every,
    });
    alarmOfRounds(this, made, props);
    alarmOfClock(this, log, props);
    alarmOfErrors(props.alarms, this, { logGroup: log, name: props.name });
    schedule(this, { functionArn: made.functionArn, queueArn: failed.queueArn, every: props.every });
  }
}

/** Of rounds that fail one after the other, and of none at all. */
function alarmOfRounds(scope: Construct, made: LambdaFunction, { alarms, name, every, description }: ScheduledFunctionProps) {
  const period = Duration.minutes(Math.max(PERIOD_MINUTES_MIN, every.toMinutes()));
  alarms.ofMuch(scope, "Failing", {
    title: `${name} fails`,
    meaning: `${description}. Its rounds have failed three periods in a row: what it does waits, and nothing of it is lost. Its log says why; when that is mended the next round makes up for all.`,
    metric: made.metricErrors({ period, statistic: "Sum" }),
    atLeast: 1,
    periods: FAILING_PERIODS,
  });
  alarms.ofNothing(scope, "Silent", {
    title: `${name} does not run`,
    meaning: `${description}. It was not called for three of its intervals: look at its schedule, its role and the account's limit of concurrent functions. What it does waits, and nothing of it is lost. After a first deployment this stands until the first round.`,
    metric: made.metricInvocations({
      period: Duration.minutes(Math.max(SILENT_MINUTES_MIN, SILENT_INTERVALS * every.toMinutes())),
      statistic: "Sum",
    }),
  });
}

/** Each such round failed, too, and lies in the queue; this tells why: AWS keeps clocks right, so there should never be one. */
function alarmOfClock(scope: Construct, logGroup: LogGroup, { alarms, name }: ScheduledFunctionProps) {
  const pattern = FilterPattern.stringValue("$.message", "=", REFUSED_BY_CLOCK);
  const metricName = `RoundsRefusedByClock-${name}`;
  alarms.ofMuch(scope, "ClockIsOff", {
    title: `${name} has a wrong clock`,
    meaning: `The clock of ${name} is more than 30 seconds off the store's. It closes, invoices and erases nothing by it, and waits until it is right: new environments of the function get another machine's clock.`,
    metric: countLines(scope, "RefusedByClock", { logGroup, metricName, pattern, period: Duration.minutes(PERIOD_MINUTES_MIN) }),
    atLeast: 1,
  });
}

function createQueue(scope: Construct): Queue {
  const queue = new Queue(scope, "Failed", { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod: FAILED_KEPT });
  acknowledge(queue, "AwsSolutions-SQS3");
  return queue;
}

/** The library's target would allow its role every version of the function, by a wildcard. */
function schedule(scope: Construct, { functionArn, queueArn, every }: { functionArn: string; queueArn: string; every: Duration }) {
  const role = new Role(scope, "SchedulerRole", { assumedBy: new ServicePrincipal("scheduler.amazonaws.com") });
  const grants = [
    Grant.addToPrincipal({ grantee: role, actions: ["lambda:InvokeFunction"], resourceArns: [functionArn] }),
    Grant.addToPrincipal({ grantee: role, actions: ["sqs:SendMessage"], resourceArns: [queueArn] }),
  ];
  const minutes = every.toMinutes();
  const rule = new CfnSchedule(scope, "Schedule", {
    scheduleExpression: `rate(${minutes} ${minutes === 1 ? "minute" : "minutes"})`,
    flexibleTimeWindow: { mode: "OFF" },
    target: {
      arn: functionArn,
      roleArn: role.roleArn,
      deadLetterConfig: { arn: queueArn },
      retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: every.toSeconds() },
    },
  });
  for (const grant of grants) grant.applyBefore(rule);
}

function codeOf(name: string): Code {
  return Code.fromAsset(fileURLToPath(new URL(`../functions/${name}`, import.meta.url)), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never pulled: the bundle is made in this process.
      image: DockerImage.fromRegistry("node:24"),
      local: {
        tryBundle(outputDir) {
          bundleFunction(outputDir, name);
          return true;
        },
      },
    },
  });
}
