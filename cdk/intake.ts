import { Duration, Size } from "aws-cdk-lib";
import { Platform } from "aws-cdk-lib/aws-ecr-assets";
import { Architecture, DockerImageFunction, type IFunction, LoggingFormat } from "aws-cdk-lib/aws-lambda";
import { SqsDestination } from "aws-cdk-lib/aws-lambda-destinations";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledgements.ts";
import { type Alarms, alarmOfErrors } from "./alarms.ts";
import type { StageConfig } from "./config.ts";
import { containerOf } from "./container.ts";
import { type Dynamo, grantTable } from "./dynamo.ts";
import { FunctionRole } from "./function-role.ts";
import type { ModelsBucket } from "./models-bucket.ts";

const DISK_MIB = 10_240;
const DISK_SPARE_MIB = 512;
/** What the function needs beside the process that tries the model. */
const RUNTIME_MEMORY_MIB = 512;
const TIMEOUT = Duration.minutes(15);
const RETRIES_MAX = 2;
const FAILED_PERIOD = Duration.minutes(5);
const WAIT_MAX = Duration.hours(1);

/** Checks an uploaded version. The gateway starts it and does not wait; what it could not do even when tried again lies in its queue. */
export class Intake extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, props: { stage: StageConfig; alarms: Alarms; dynamo: Dynamo; models: ModelsBucket }) {
    super(scope, id);
    const { stage, alarms, dynamo, models } = props;
    const role = new FunctionRole(this, "Role", stage.logRetentionDays);
    grantIntake(role, dynamo, models);
    const failed = new Queue(this, "Failed", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    acknowledge(failed, "AwsSolutions-SQS3");
    alarms.ofMuch(this, "Unchecked", {
      title: "intake gave a version up",
      meaning:
        "A version was published and could not be checked, though it was tried three times: its publisher waits. The queue holds the call and its error; publishing again resumes.",
      metric: failed.metricApproximateNumberOfMessagesVisible({ period: FAILED_PERIOD, statistic: "Maximum" }),
      atLeast: 1,
    });
    alarmOfErrors(alarms, this, { logGroup: role.log, name: "intake" });
    this.function = new DockerImageFunction(this, "Function", {
      description: "Weir: checks an uploaded version and makes it ready or rejected",
      code: containerOf("intake", { platform: Platform.LINUX_ARM64 }),
      architecture: Architecture.ARM_64,
      role: role.role,
      logGroup: role.log,
      loggingFormat: LoggingFormat.JSON,
      memorySize: stage.intake.memoryMiB,
      ephemeralStorageSize: Size.mebibytes(DISK_MIB),
      timeout: TIMEOUT,
      environment: {
        WEIR_BUCKET: models.bucket.bucketName,
        WEIR_TABLE_PREFIX: stage.tablePrefix,
        WEIR_WORK_DIR: "/tmp",
        WEIR_FOLDER_MIB_MAX: String(DISK_MIB - DISK_SPARE_MIB),
        WEIR_GOLDEN_MEMORY_MIB: String(stage.intake.memoryMiB - RUNTIME_MEMORY_MIB),
      },
      onFailure: new SqsDestination(failed),
      retryAttempts: RETRIES_MAX,
      maxEventAge: WAIT_MAX,
    });
  }
}

/** It reads what was sent, writes what it has checked, and tells the control table. */
function grantIntake({ role }: FunctionRole, dynamo: Dynamo, models: ModelsBucket) {
  models.grant(role, "incoming", ["s3:GetObject", "s3:DeleteObject"]);
  models.grant(role, "blobs", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]);
  models.grant(role, "manifests", ["s3:GetObject", "s3:PutObject"]);
  models.grantList(role);
  grantTable(dynamo.control, role, ["dynamodb:Query", "dynamodb:PutItem"]);
}
