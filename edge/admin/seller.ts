import { Hono } from "hono";
import { Failure, FailureAnswer } from "../../shared/base/failure.ts";
import { PageQuery, pageOf } from "../../shared/base/page.ts";
import { SELLER, SellerChange, SellerRevision } from "../../shared/billing/invoices/seller.ts";
import type { EdgeContext, EdgeEnv } from "../env.ts";
import { checked, readJson } from "../http.ts";
import type { PathGroup } from "../openapi.ts";
import type { InvoiceDeps } from "../own/invoice-reading.ts";
import { changeOf, stamped } from "./change.ts";
import { answerRevision, appendNext, ETAG, IF_MATCH } from "./if-match.ts";

/** `/admin/seller`: who stands on invoices as the sender. Without it none is issued. */
export function sellerRoutes(deps: InvoiceDeps) {
  const { sellers } = deps.control;
  return new Hono<EdgeEnv>()
    .get("/", async (c) => {
      const seller = await sellers.current(SELLER);
      if (seller === undefined) throw new Failure("not_found", "The seller's details are not set yet: no invoice is issued without them.");
      return answerRevision(c, stamped(seller.body, seller));
    })
    .put("/", async (c) => answerRevision(c, await setSeller(deps, c)))
    .get("/history", async (c) => {
      const page = await sellers.history(SELLER, checked(c.req.query(), PageQuery));
      return c.json({ ...page, items: page.items.map((seller) => stamped(seller.body, seller)) });
    });
}

async function setSeller(deps: InvoiceDeps, c: EdgeContext): Promise<SellerRevision> {
  const { why, ...body } = await readJson(c, SellerChange);
  const current = await deps.control.sellers.current(SELLER);
  const seller = await appendNext(c, deps.control.sellers, { id: SELLER, current, body, change: changeOf(c, deps.clock, why) });
  return stamped(seller.body, seller);
}

export const sellerPaths: PathGroup = {
  name: "seller",
  summary: "Who stands on invoices as the sender",
  failure: FailureAnswer,
  paths: [
    {
      method: "get",
      path: "/admin/seller",
      summary: "Shows the seller's details",
      scope: "billing",
      headersOut: [ETAG],
      answer: { status: 200, summary: "The seller", schema: SellerRevision },
      refusals: ["not_found"],
    },
    {
      method: "put",
      path: "/admin/seller",
      summary: "Sets the seller's details; invoices that are issued keep those that they were issued with",
      scope: "billing",
      body: SellerChange,
      headers: [IF_MATCH],
      headersOut: [ETAG],
      answer: { status: 200, summary: "The seller", schema: SellerRevision },
      refusals: ["conflict", "precondition_failed"],
    },
    {
      method: "get",
      path: "/admin/seller/history",
      summary: "Lists what the seller's details were, newest first",
      scope: "billing",
      query: PageQuery,
      answer: { status: 200, summary: "One page", schema: pageOf(SellerRevision) },
    },
  ],
};
