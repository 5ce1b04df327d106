/** `npm start`: Weir on one machine, until Ctrl-C or SIGTERM. */
import { readLocalConfig } from "./config.ts";
import { openPlatform } from "./platform.ts";
import { StartRefusal } from "./refusal.ts";
import { stopOnSignals } from "./signals.ts";

try {
  const platform = openPlatform(readLocalConfig());
  await platform.run(stopOnSignals(platform.kill));
  process.exit(0);
} catch (error) {
  process.stderr.write(`weir: ${error instanceof StartRefusal ? error.message : error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}
