import { Failure } from "../../shared/base/failure.ts";
import { checkEngineName } from "../../shared/models/engine-rules.ts";
import { repeatedFallback } from "../../shared/models/fallback.ts";
import { checkPaths } from "../../shared/models/folder.ts";
import type { NewVersion, Upload } from "../../shared/models/publication.ts";
import type { Placement } from "../../shared/models/version.ts";
import type { Deps } from "../deps.ts";

export type CheckDeps = Pick<Deps, "pools" | "resolveHost"> & {
  readonly config: Pick<Deps["config"], "engines">;
  readonly control: Pick<Deps["control"], "versions">;
};

/**
 * Refuses with `invalid_request` what could not serve here, before a byte of it is sent. Whether a version may stand in for this one in what it
 * answers is not known before this one has run: intake says so, and rejects it.
 */
export async function checkPublication(deps: CheckDeps, model: string, asked: Upload | NewVersion): Promise<void> {
  if ("upstream" in asked) return checkEngineName(deps.config.engines, asked.upstream, deps.resolveHost);
  const { placement, files } = asked;
  const paths = new Set(files.map((file) => file.path));
  checkPool(deps, placement.pool, "placement.pool");
  checkPaths(paths, placement.dtype);
  checkRepeats(placement);
  for (const [index, fallback] of (placement.fallbacks ?? []).entries()) {
    const field = `placement.fallbacks.${index}`;
    if ("version" in fallback) {
      await checkVersion(deps, { model, number: fallback.version }, `${field}.version`);
      continue;
    }
    // A name that is mistyped would show on the day that it is needed.
    checkPool(deps, fallback.pool, `${field}.pool`);
    checkPaths(paths, fallback.dtype);
  }
}

function checkPool({ pools }: CheckDeps, name: string, field: string) {
  if (pools.has(name)) return;
  throw new Failure("invalid_request", `There is no pool '${name}'; there are: ${[...pools.keys()].join(", ")}.`, { field });
}

function checkRepeats(placement: Placement) {
  const repeated = repeatedFallback(placement);
  if (repeated === undefined) return;
  const message = `The fallback ${repeated} is there already: a place that has failed is not asked again.`;
  throw new Failure("invalid_request", message, { field: "placement.fallbacks" });
}

async function checkVersion({ control }: CheckDeps, { model, number }: { model: string; number: number }, field: string): Promise<void> {
  const state = (await control.versions.current(model, number))?.body.state;
  if (state === "ready") return;
  const problem = state === undefined ? "does not exist" : `is ${state === "upstream" ? "a foreign engine" : state}`;
  throw new Failure("invalid_request", `${model}@${number} ${problem}; a fallback must be a version that is ready.`, { field });
}
