import type { Probe } from "./measure-revocation.ts";

const TIMEOUT_MS = 5_000;

/** Asks the gateway for something that costs neither a read nor money: what the Open Inference Protocol's server is. */
export function createProbe(gatewayUrl: string): Probe {
  const url = new URL("v2", gatewayUrl.endsWith("/") ? gatewayUrl : `${gatewayUrl}/`);
  return async (key) => {
    try {
      const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` }, signal: AbortSignal.timeout(TIMEOUT_MS) });
      await answer.arrayBuffer();
      if (answer.ok) return "accepted";
      return answer.status === 401 ? "refused" : "unclear";
    } catch {
      return "unclear"; // whether it would have been taken, nobody said
    }
  };
}
