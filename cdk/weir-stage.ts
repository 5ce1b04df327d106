import { CfnOutput, Stack, Stage } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { Alarms } from "./alarms.ts";
import { Balances } from "./balances.ts";
import { Caretaker } from "./caretaker.ts";
import { type StageConfig, stageId } from "./config.ts";
import { Dynamo } from "./dynamo.ts";
import { Edge } from "./edge.ts";
import { Front } from "./front.ts";
import { Inference } from "./inference.ts";
import { Intake } from "./intake.ts";
import { Invoicing } from "./invoicing.ts";
import { ModelsBucket } from "./models-bucket.ts";
import { RecordsBucket } from "./records-bucket.ts";
import { Sealer } from "./sealer.ts";
import { Secrets } from "./secrets.ts";
import { Webhooks } from "./webhooks.ts";

/** One installation: a stack with everything that Weir is in one Region. */
export class WeirStage extends Stage {
  readonly stack: Stack;

  constructor(scope: Construct, stage: StageConfig) {
    super(scope, stageId(stage), { env: { region: stage.region, ...(stage.account && { account: stage.account }) } });
    this.stack = new Stack(this, "Weir", { description: "Weir: serverless inference gateway", terminationProtection: true });
    const alarms = new Alarms(this.stack, "Alarms", stage);
    const dynamo = new Dynamo(this.stack, "Dynamo", { stage, alarms });
    const models = new ModelsBucket(this.stack, "Models");
    const records = new RecordsBucket(this.stack, "Records");
    const secrets = new Secrets(this.stack, "Secrets", stage);
    const { pools } = new Inference(this.stack, "Inference", { stage, alarms, models });
    const intake = new Intake(this.stack, "Intake", { stage, alarms, dynamo, models });
    new Sealer(this.stack, "Sealer", { stage, alarms, dynamo });
    new Balances(this.stack, "Balances", { stage, alarms, dynamo });
    new Invoicing(this.stack, "Invoicing", { stage, alarms, dynamo, records });
    new Webhooks(this.stack, "Webhooks", { stage, alarms, dynamo, secrets });
    const edge = new Edge(this.stack, "Edge", { stage, alarms, dynamo, models, records, pools, intake, secrets });
    const front = new Front(this.stack, "Front", { stage, alarms, edge, secrets });
    new Caretaker(this.stack, "Caretaker", { stage, alarms, dynamo, secrets, records, gatewayUrl: front.url });
    new CfnOutput(this.stack, "Url", { value: front.url, description: "Where clients send requests" });
    new CfnOutput(this.stack, "AlarmsTopicArn", {
      value: alarms.topic.topicArn,
      description: "Tells of alarms; subscribe whoever is to be woken",
    });
    new CfnOutput(this.stack, "ModelsBucketName", { value: models.bucket.bucketName });
  }
}
