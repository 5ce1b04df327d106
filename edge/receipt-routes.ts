import { Hono } from "hono";
import { FailureAnswer } from "../shared/base/failure.ts";
import { ReceiptKeySet, receiptKeySetOf } from "../shared/billing/receipts/receipt.ts";
import type { Deps } from "./deps.ts";
import type { EdgeEnv } from "./env.ts";
import type { PathGroup } from "./openapi.ts";

/** Keys of receipts change by a deployment, and an old one stays published. */
const CACHE_CONTROL = "public, max-age=300";

/** `/.well-known/weir-receipts`: what receipts are checked with. Needs no key, since whoever is shown a receipt may want to. */
export function receiptRoutes(deps: Pick<Deps, "receiptKeys">) {
  return new Hono<EdgeEnv>().get("/weir-receipts", (c) =>
    c.json(receiptKeySetOf(deps.receiptKeys) satisfies ReceiptKeySet, 200, { "Cache-Control": CACHE_CONTROL }),
  );
}

export const receiptPaths: PathGroup = {
  name: "receipts",
  summary: "Signed receipts of requests",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/.well-known/weir-receipts",
      summary:
        "The public keys that receipts are checked with, as a JSON Web Key Set; a receipt is a compact JWS, whose payload is a `Receipt`",
      answer: { status: 200, summary: "Keys of all versions", schema: ReceiptKeySet },
    },
  ],
};
