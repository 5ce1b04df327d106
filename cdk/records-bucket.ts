import { Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Folder } from "../shared/aws/buckets.ts";
import { ANSWERS_KEPT_DAYS, REMOVED_KEPT_DAYS } from "../shared/tenants/places.ts";
import { PrivateBucket } from "./private-bucket.ts";

/** What the installation keeps for its tenants: answers for a day, and issued documents for as long as the law wants them, which the caretaker knows. */
export class RecordsBucket extends PrivateBucket<Folder<"records">> {
  constructor(scope: Construct, id: string) {
    const answers = Duration.days(ANSWERS_KEPT_DAYS);
    super(scope, id, [
      {
        id: "kept-answers",
        prefix: "bodies/",
        expiration: answers,
        noncurrentVersionExpiration: answers,
        abortIncompleteMultipartUploadAfter: answers,
      },
      { id: "delete-markers", prefix: "bodies/", expiredObjectDeleteMarker: true },
      // Drafts are written over and documents removed: without an end, their versions would outlive every term.
      {
        id: "removed",
        prefix: "invoices/",
        noncurrentVersionExpiration: Duration.days(REMOVED_KEPT_DAYS),
        expiredObjectDeleteMarker: true,
      },
    ]);
  }
}
