import { RemovalPolicy } from "aws-cdk-lib";
import { Grant, type Role } from "aws-cdk-lib/aws-iam";
import { BlockPublicAccess, Bucket, BucketEncryption, type BucketProps, type LifecycleRule, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge, acknowledgeFolder } from "./acknowledgements.ts";

/** Of every bucket: kept when the stack goes, and closed to everybody else. Browsers never talk to one, so no CORS. */
export const PRIVATE = {
  versioned: true,
  encryption: BucketEncryption.S3_MANAGED,
  enforceSSL: true,
  minimumTLSVersion: 1.2,
  blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
  objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
  removalPolicy: RemovalPolicy.RETAIN,
} as const satisfies BucketProps;

/** A bucket that only this installation's parts reach, a folder each. */
export class PrivateBucket<Folder extends string> extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, lifecycleRules: LifecycleRule[]) {
    super(scope, id);
    this.bucket = new Bucket(this, "Bucket", { ...PRIVATE, lifecycleRules });
    acknowledge(this.bucket, "AwsSolutions-S1");
  }

  grant(role: Role, folder: Folder, actions: readonly `s3:${string}`[]): void {
    Grant.addToPrincipal({ grantee: role, actions: [...actions], resourceArns: [this.bucket.arnForObjects(`${folder}/*`)] });
    acknowledgeFolder(role, this.bucket, folder);
  }

  /** Without it S3 answers 403 for an object that is not there, and "not there" would look like a wrong configuration. */
  grantList(role: Role): void {
    Grant.addToPrincipal({ grantee: role, actions: ["s3:ListBucket"], resourceArns: [this.bucket.bucketArn] });
  }
}
