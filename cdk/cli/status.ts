import type { Command } from "commander";
import type { Status } from "../../shared/status/status.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";

export function registerStatusCommand(program: Command, context: CliContext) {
  program
    .command("status")
    .description("show the gateway, its store and its pools")
    .action(async () => {
      context.output.print(await context.admin().status(), render);
    });
}

function render(status: Status): string {
  const { store, counts } = status;
  const lines = [
    ["gateway", `version ${status.version}, up ${Math.floor(status.uptimeMs / 1000)} s`],
    ["store", store.isReachable ? `reachable, ${store.latencyMs} ms` : "unreachable"],
    ...status.pools.map((pool) => [`pool ${pool.name}`, [pool.tier, pool.state, ...troublesOf(pool)].join(", ")]),
    ...(counts === undefined
      ? []
      : [
          ["tenants", `${counts.tenants}`],
          ["models", `${counts.models}`],
        ]),
  ];
  return table(["PART", "STATE"], lines);
}

function troublesOf({ breaker, failing }: Status["pools"][number]): string[] {
  return [
    ...(breaker.state === "closed" ? [] : [`breaker ${breaker.state}: ${breaker.reason}`]),
    ...failing.map(({ version, state, reason }) => `${version} ${state}: ${reason}`),
  ];
}
