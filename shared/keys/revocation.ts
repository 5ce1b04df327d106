import * as z from "zod";

/** What is promised of a revoked key: the age that no gateway's cache exceeds. */
export const REVOCATION_BOUND_MS = 30_000;

/** What the canary logs when it could not measure, and what an alarm counts. */
export const REVOCATION_UNMEASURED = "the revocation of a key could not be measured";

/** How long a revoked key was still taken somewhere, as the canary saw it through the gateway. */
export const RevocationMeasurement = z.object({
  at: z.iso.datetime(),
  /** From the revocation's acknowledgement to the last answer that took the key; absent if nothing could be measured. */
  acceptedForMs: z.int().min(0).exactOptional(),
  problem: z.string().exactOptional(),
});
export type RevocationMeasurement = z.infer<typeof RevocationMeasurement>;

/** Where the last measurement lies, for whoever scrapes it off any gateway. */
export type RevocationStore = {
  readonly read: () => Promise<RevocationMeasurement | undefined>;
  readonly write: (measurement: RevocationMeasurement) => Promise<void>;
};
