import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { Grant, type Role } from "aws-cdk-lib/aws-iam";
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge, acknowledgeFolder } from "./acknowledgements.ts";

/** The three places in the bucket; shared/models/version.ts makes the keys below them. */
export type ModelsFolder = "incoming" | "blobs" | "manifests";

const SUPERSEDED_KEPT_DAYS = 30;

/** Where versions lie: uploads in `incoming/`, what intake has checked in `blobs/` and `manifests/`. Browsers never talk to it, so no CORS. */
export class ModelsBucket extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.bucket = new Bucket(this, "Bucket", {
      versioned: true,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [
        { id: "abandoned-parts", abortIncompleteMultipartUploadAfter: Duration.days(1) },
        { id: "abandoned-uploads", prefix: "incoming/", expiration: Duration.days(1), noncurrentVersionExpiration: Duration.days(1) },
        // A version is a second chance after a mistaken delete, not an archive: content is addressed by its hash and never changes.
        { id: "superseded", noncurrentVersionExpiration: Duration.days(SUPERSEDED_KEPT_DAYS), expiredObjectDeleteMarker: true },
      ],
    });
    acknowledge(this.bucket, "AwsSolutions-S1");
  }

  grant(role: Role, folder: ModelsFolder, actions: readonly `s3:${string}`[]): void {
    Grant.addToPrincipal({ grantee: role, actions: [...actions], resourceArns: [this.bucket.arnForObjects(`${folder}/*`)] });
    acknowledgeFolder(role, this.bucket, folder);
  }

  /** Without it S3 answers 403 for an object that is not there, and "not there" would look like a wrong configuration. */
  grantList(role: Role): void {
    Grant.addToPrincipal({ grantee: role, actions: ["s3:ListBucket"], resourceArns: [this.bucket.bucketArn] });
  }
}
