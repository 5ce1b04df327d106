import * as z from "zod";
import { Failure } from "../base/failure.ts";
import { ModelName } from "./version.ts";

/** A version that intake is asked to check. */
export const IntakeJob = z.object({ model: ModelName, number: z.int().positive() });
export type IntakeJob = Readonly<z.infer<typeof IntakeJob>>;

/** Intake's door: HTTP on one machine, the Lambda API in the cloud. */
export type IntakeClient = {
  /** Resolves once the job is taken, not when it is done; asking twice is harmless. Fails with `unavailable` or `overloaded`. */
  readonly start: (job: IntakeJob) => Promise<void>;
};

export const INTAKE_RETRY_AFTER_MS = 2_000;

export function intakeUnreachable(cause: unknown): Failure {
  const message = "The function that checks versions cannot be reached. Publish again to resume.";
  return new Failure("unavailable", message, { retryAfterMs: INTAKE_RETRY_AFTER_MS, cause });
}
