import { fileURLToPath } from "node:url";
import { AssetHashType, DockerImage, Duration } from "aws-cdk-lib";
import { Grant, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime } from "aws-cdk-lib/aws-lambda";
import { SqsDestination } from "aws-cdk-lib/aws-lambda-destinations";
import { FilterPattern, type LogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import { CfnSchedule } from "aws-cdk-lib/aws-scheduler";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { REFUSED_BY_CLOCK } from "../shared/schedule/sound-time.ts";
import { acknowledge } from "./acknowledgements.ts";
import { bundleFunction } from "./bundle.ts";
import type { StageConfig } from "./config.ts";
import { FunctionRole } from "./function-role.ts";

const TIMEOUT = Duration.minutes(15);
const FAILED_KEPT = Duration.days(14);

export type ScheduledFunctionProps = {
  readonly stage: StageConfig;
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

  constructor(scope: Construct, id: string, props: ScheduledFunctionProps) {
    super(scope, id);
    const { role, log } = new FunctionRole(this, "Role", props.stage.logRetentionDays);
    this.role = role;
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
    });
    countRefusedByClock(this, log, props.name);
    schedule(this, { functionArn: made.functionArn, queueArn: failed.queueArn, every: props.every });
  }
}

/** Each such round failed, too, and lies in the queue; this tells why: AWS keeps clocks right, so there should never be one. */
function countRefusedByClock(scope: Construct, logGroup: LogGroup, name: string) {
  new MetricFilter(scope, "RefusedByClock", {
    logGroup,
    filterPattern: FilterPattern.stringValue("$.message", "=", REFUSED_BY_CLOCK),
    metricNamespace: "Weir",
    metricName: `RoundsRefusedByClock-${name}`,
    metricValue: "1",
    defaultValue: 0,
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
