import { Failure } from "../base/failure.ts";

/** A caller's mistake, with the place that it stands at. */
export function refusal(field: string, problem: string): Failure {
  return new Failure("invalid_request", `${field}: ${problem}`, { field });
}
