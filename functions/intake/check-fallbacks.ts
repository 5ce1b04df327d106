import { whyNoFallback } from "../../shared/models/fallback.ts";
import type { Version, VersionFacts } from "../../shared/models/version.ts";
import type { VersionStore } from "../../shared/models/version-store.dynamo.ts";
import { rejection } from "./rejection.ts";

type CheckingVersion = Extract<Version, { state: "checking" }>;

/** Rejects a version whose fallbacks would answer its callers with something else, now that it is known what it answers itself. */
export async function checkFallbacks(versions: VersionStore, version: CheckingVersion, facts: VersionFacts): Promise<void> {
  for (const fallback of version.placement.fallbacks ?? []) {
    if (!("version" in fallback)) continue;
    const reason = await whyNot(versions, { model: version.model, number: fallback.version }, facts);
    if (reason !== undefined) throw rejection(`${version.model}@${fallback.version} cannot be a fallback: ${reason}.`);
  }
}

async function whyNot(versions: VersionStore, { model, number }: { model: string; number: number }, facts: VersionFacts) {
  const other = (await versions.current(model, number))?.body;
  return other?.state === "ready" ? whyNoFallback(facts, other.facts) : "it is not ready";
}
