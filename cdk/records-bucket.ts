import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { Grant, type Role } from "aws-cdk-lib/aws-iam";
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge, acknowledgeFolder } from "./acknowledgements.ts";

/** `bodies`: answers that wait for a retry. `invoices`: documents that were issued. */
export type RecordsFolder = "bodies" | "invoices";

/** What the installation keeps for its tenants: answers for a day, and issued documents for as long as the law wants them. */
export class RecordsBucket extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const aDay = Duration.days(1);
    this.bucket = new Bucket(this, "Bucket", {
      versioned: true,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [
        {
          id: "kept-answers",
          prefix: "bodies/",
          expiration: aDay,
          noncurrentVersionExpiration: aDay,
          abortIncompleteMultipartUploadAfter: aDay,
        },
        { id: "delete-markers", prefix: "bodies/", expiredObjectDeleteMarker: true },
      ],
    });
    acknowledge(this.bucket, "AwsSolutions-S1");
  }

  grant(role: Role, folder: RecordsFolder, actions: readonly `s3:${string}`[]): void {
    Grant.addToPrincipal({ grantee: role, actions: [...actions], resourceArns: [this.bucket.arnForObjects(`${folder}/*`)] });
    acknowledgeFolder(role, this.bucket, folder);
  }

  /** Without it S3 answers 403 for an object that is not there, and one whose day is over would look like a wrong configuration. */
  grantList(role: Role): void {
    Grant.addToPrincipal({ grantee: role, actions: ["s3:ListBucket"], resourceArns: [this.bucket.bucketArn] });
  }
}
