import { systemClock } from "../../shared/base/clock.ts";
import { createDynamo } from "../../shared/dynamo/client.ts";
import { createLeanDynamo } from "../../shared/dynamo/lean-client.ts";
import type { Round } from "../../shared/schedule/round.ts";
import type { SealerConfig } from "./config.ts";

/** Builds what the sealer does from its settings: the same for a timer and for Lambda. */
export function compose(config: SealerConfig) {
  const { WEIR_TABLE_PREFIX: tablePrefix } = config;
  const dynamo = createDynamo({ region: config.AWS_REGION, tablePrefix, endpoint: config.WEIR_DYNAMO_ENDPOINT });
  const lean = createLeanDynamo(dynamo, systemClock);
  const round: Round = async () => ({ hasMore: false });
  return {
    round,
    close: async () => {
      await lean.close();
      dynamo.client.destroy();
    },
  };
}
