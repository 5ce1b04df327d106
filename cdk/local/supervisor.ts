import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../shared/base/clock.ts";
import { createPart, type Part, type PartSpec, type PartWatch } from "./part.ts";
import { createPartsFile, type PartsFile } from "./parts-file.ts";
import { StartRefusal } from "./refusal.ts";

export type Stage = "stores" | "functions" | "gateway";

/** The processes of one machine, in stages: the stage that was started last is drained first. */
export type Supervisor = {
  /** Resolves with the part's port once it listens. */
  readonly start: (stage: Stage, spec: PartSpec) => Promise<number>;
  readonly drain: () => Promise<void>;
  /** Ends everything at once. */
  readonly kill: () => void;
};

export type SupervisorSettings = {
  /** Where the parts' pids are written, for tools and for the start after a crash. */
  readonly partsPath: string;
  readonly say: (line: string) => void;
};

export function createSupervisor({ partsPath, say }: SupervisorSettings): Supervisor {
  const stages = new Map<Stage, Part[]>();
  const watch = watchOf(createPartsFile(partsPath), say);
  let isEnding = false;
  return {
    start: async (stage, spec) => {
      if (isEnding) throw new StartRefusal(`${spec.name} is not started: everything is being stopped`);
      const part = createPart(spec, watch);
      stages.set(stage, [...(stages.get(stage) ?? []), part]);
      return part.start();
    },
    drain: async () => {
      isEnding = true;
      for (const parts of [...stages.values()].toReversed()) await Promise.all(parts.map((part) => part.stop()));
      stages.clear();
      rmSync(partsPath, { force: true });
    },
    kill: () => {
      isEnding = true;
      for (const part of [...stages.values()].flat()) part.kill();
    },
  };
}

function watchOf(file: PartsFile, say: (line: string) => void): PartWatch {
  return {
    say,
    changed: (name, run) => {
      try {
        file.record(name, run);
      } catch {
        // On a full disk what runs goes on running: only tools and the start after a crash read this file.
      }
    },
    clock: systemClock,
    wait: (ms, signal) => sleep(ms, undefined, { signal }),
  };
}
