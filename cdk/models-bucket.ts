import { Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Folder } from "../shared/aws/buckets.ts";
import { PrivateBucket } from "./private-bucket.ts";

const SUPERSEDED_KEPT_DAYS = 30;

/** Where versions lie: uploads, and what intake has checked. */
export class ModelsBucket extends PrivateBucket<Folder<"models">> {
  constructor(scope: Construct, id: string) {
    super(scope, id, [
      { id: "abandoned-parts", abortIncompleteMultipartUploadAfter: Duration.days(1) },
      { id: "abandoned-uploads", prefix: "incoming/", expiration: Duration.days(1), noncurrentVersionExpiration: Duration.days(1) },
      // A version is a second chance after a mistaken delete, not an archive: content is addressed by its hash and never changes.
      { id: "superseded", noncurrentVersionExpiration: Duration.days(SUPERSEDED_KEPT_DAYS), expiredObjectDeleteMarker: true },
    ]);
  }
}
