import { benchBatching } from "./batching.ts";
import { benchEdge } from "./edge.ts";
import { benchGateway } from "./gateway.ts";
import { benchGeneration } from "./generation.ts";
import { benchInference } from "./inference.ts";
import { benchInvoicing } from "./invoicing.ts";
import { benchLedger } from "./ledger.ts";
import { benchLimits } from "./limits.ts";
import { benchOverload } from "./overload.ts";
import { benchRating } from "./rating.ts";
import { benchSoak } from "./soak.ts";
import { benchStartup } from "./startup.ts";
import { benchTokenising } from "./tokenising.ts";

const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  gateway: benchGateway,
  inference: benchInference,
  batching: benchBatching,
  edge: benchEdge,
  generation: benchGeneration,
  invoicing: benchInvoicing,
  ledger: benchLedger,
  limits: benchLimits,
  overload: benchOverload,
  rating: benchRating,
  soak: benchSoak,
  startup: benchStartup,
  tokenising: benchTokenising,
};

// `npm run bench` measures all, one after the other; `npm run bench <name>…` measures some.
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => BENCHES[name] === undefined);
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(", ")}; there are ${Object.keys(BENCHES).join(", ")}.`);
  process.exit(2);
}
for (const [name, bench] of Object.entries(BENCHES)) if (asked.length === 0 || asked.includes(name)) await bench();
