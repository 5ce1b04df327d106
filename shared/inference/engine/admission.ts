import { Failure } from "../../base/failure.ts";
import { INPUTS_MAX } from "../wire-request.ts";

/** Counts the inputs of the requests that are here, whatever is being done for them. */
export type Admission = {
  /** Fails with `overloaded`; else answers what to call when the request is over. */
  readonly enter: (tenant: string, inputs: number) => () => void;
};

const RETRY_AFTER_MS = 1_000;

/**
 * Refuses what the queue would have no room for, before it is tokenised: with a hundred large requests in tokenising, each gets so little of
 * it that none ends in time. One tenant has half of the room, so that others find some.
 */
export function createAdmission(inputsMax: number): Admission {
  const inputsOfTenantMax = Math.max(INPUTS_MAX, Math.floor(inputsMax / 2));
  const ofTenant = new Map<string, number>();
  let ofAll = 0;

  function add(tenant: string, inputs: number) {
    const count = (ofTenant.get(tenant) ?? 0) + inputs;
    ofAll += inputs;
    if (count === 0) ofTenant.delete(tenant);
    else ofTenant.set(tenant, count);
  }

  return {
    enter(tenant, inputs) {
      const isTenantFull = (ofTenant.get(tenant) ?? 0) + inputs > inputsOfTenantMax;
      if (isTenantFull || ofAll + inputs > inputsMax) {
        throw new Failure("overloaded", "Too many inputs wait for a model. Try again shortly.", { retryAfterMs: RETRY_AFTER_MS });
      }
      add(tenant, inputs);
      return () => add(tenant, -inputs);
    },
  };
}
