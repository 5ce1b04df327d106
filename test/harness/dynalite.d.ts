// dynalite brings no types: what Weir uses of it.
declare module "dynalite" {
  import type { Server } from "node:http";

  type DynaliteOptions = {
    /** Folder of the LevelDB store; absent, everything is in memory. */
    readonly path?: string;
    readonly createTableMs?: number;
    readonly deleteTableMs?: number;
  };

  function dynalite(options?: DynaliteOptions): Server;
  export = dynalite;
}
