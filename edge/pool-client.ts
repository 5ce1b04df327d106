import type { InferenceClient } from "../shared/inference/contract.ts";
import type { PoolSettings } from "./config.ts";

export function clientFor(pool: PoolSettings): InferenceClient {
  throw new Error(`no client for pool ${pool.name} yet`);
}
