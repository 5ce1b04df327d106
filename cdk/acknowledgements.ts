import { type CfnElement, Stack, Validations } from "aws-cdk-lib";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import type { IConstruct } from "constructs";
import type { StageConfig } from "./config.ts";

/**
 * The findings of the validators that stand, each with its reason and on the construct that it is about:
 * the same finding anywhere else fails `cdk synth` and the tests.
 */
const REASONS = {
  "AwsSolutions-S1":
    "Reads of content are CloudTrail's data events to record, which belong to the account; what callers did is in the ledger.",
  "AwsSolutions-SMG4":
    "Rotated by hand in two steps (README): a new pepper or origin secret must be valid before the old one stops being so.",
  "AwsSolutions-SQS3": "This is the queue of last resort itself.",
  "AwsSolutions-CFR1": "The API has no countries that it refuses.",
  "AwsSolutions-CFR2": "The firewall is a later step; keys, rate limits and body limits are the gateway's own.",
  "AwsSolutions-CFR3": "Every request that reaches the gateway is a log line, and every metered one a ledger row.",
  "AwsSolutions-CFR4": "CloudFront's own certificate brings its own TLS policy; with a domain it is TLS 1.2 and newer.",
  "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AWSLambdaManagedEC2ResourceOperator]":
    "The policy that AWS prescribes for this role; it acts only on instances that Lambda itself started.",
  "AwsSolutions-IAM5[Action::s3:Abort*]": "The library's copy function, in a bucket that holds nothing but bundles.",
  "AwsSolutions-IAM5[Action::s3:DeleteObject*]": "The library's copy function, in a bucket that holds nothing but bundles.",
  "CloudFormation-Validate::F3002": "AcceleratorConfig is newer than the schemas of this library's validator.",
  "Construct-Annotations::@aws-cdk/aws-lambda:webFunctionPublicEndpoint":
    "The gateway checks the origin secret and the key of every request; IAM would overwrite Authorization.",
} as const;

export function acknowledge(scope: IConstruct, ...ids: readonly (keyof typeof REASONS)[]): void {
  Validations.of(scope).acknowledge(...ids.map((id) => ({ id, reason: REASONS[id] })));
}

/** The library's copy function may read the whole bucket that `cdk bootstrap` made for assets. */
export function acknowledgeBootstrapBucket(role: IConstruct, { account, region }: Pick<StageConfig, "account" | "region">): void {
  const bucket = `cdk-hnb659fds-assets-${account ?? "<AWS::AccountId>"}-${region}`;
  const reason = "The library's copy function takes bundles from where the CDK's command line put them.";
  Validations.of(role).acknowledge({ id: `AwsSolutions-IAM5[Resource::arn:aws:s3:::${bucket}/*]`, reason });
}

/** A role that may use the objects below one folder of a bucket is named so by the validator: a wildcard, but a bounded one. */
export function acknowledgeFolder(role: IConstruct, bucket: Bucket, folder: string): void {
  const resource = bucket.node.defaultChild as CfnElement; // the bucket's own resource, which has the logical id
  const id = `AwsSolutions-IAM5[Resource::<${Stack.of(bucket).getLogicalId(resource)}.Arn>/${folder}/*]`;
  Validations.of(role).acknowledge({ id, reason: `The objects below ${folder}/ have their hashes for names.` });
}
