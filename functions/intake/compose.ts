import { credentialsOf } from "../../shared/aws/credentials.ts";
import { systemClock } from "../../shared/base/clock.ts";
import { createDynamo } from "../../shared/dynamo/client.ts";
import { createBlobStore } from "../../shared/models/blob-store.s3.ts";
import type { IntakeJob } from "../../shared/models/intake-client.ts";
import { createModelStore } from "../../shared/models/model-store.dynamo.ts";
import { createVersionStore } from "../../shared/models/version-store.dynamo.ts";
import { createSplitStore } from "../../shared/routing/split-store.dynamo.ts";
import { checkVersion } from "./check-version.ts";
import type { IntakeConfig } from "./config.ts";
import { inspectApart } from "./inspect-apart.ts";
import { tidy } from "./tidy.ts";

const MIB = 1024 ** 2;

/** Builds what intake does from its settings: the same for the HTTP server and for Lambda. */
export function compose(config: IntakeConfig) {
  const { AWS_REGION: region, WEIR_TABLE_PREFIX: tablePrefix, WEIR_DYNAMO_ENDPOINT: endpoint } = config;
  const dynamo = createDynamo({ region, tablePrefix, endpoint, credentials: credentialsOf(config) }, systemClock);
  const blobs = createBlobStore({ region, bucket: config.WEIR_BUCKET, endpoint: config.WEIR_S3_ENDPOINT });
  const limits = { timeoutMs: config.WEIR_GOLDEN_TIMEOUT_MS, memoryMib: config.WEIR_GOLDEN_MEMORY_MIB };
  const deps = {
    clock: systemClock,
    blobs,
    models: createModelStore(dynamo),
    versions: createVersionStore(dynamo),
    splits: createSplitStore(dynamo),
    inspect: inspectApart.bind(undefined, limits),
    workFolder: config.WEIR_WORK_DIR,
    folderBytesMax: config.WEIR_FOLDER_MIB_MAX * MIB,
  };
  return {
    check: (job: IntakeJob, signal: AbortSignal) => checkVersion(deps, job, signal),
    tidy: () => tidy(deps),
    close: async () => {
      blobs.close();
      await dynamo.lean.close();
    },
  };
}
