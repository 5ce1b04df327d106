import { type PageQuery, pageOf } from "../base/page.ts";
import { DeliveryReport } from "../events/delivery.ts";
import { type NewWebhook, WebhookRevision, WebhookWithSecret } from "../events/webhook.ts";
import type { Http } from "./http.ts";

type PageAsk = Partial<PageQuery>;

/** Webhooks below `/v1/webhooks` or `/admin/webhooks`: the same paths, another owner. */
export function webhooksOf(http: Http, root: readonly string[]) {
  const deliveries = (id: string) => [...root, id, "deliveries"];
  return {
    create: (body: NewWebhook) => http.ask({ method: "POST", path: root, body, answer: WebhookWithSecret }),
    list: (page: PageAsk) => http.ask({ method: "GET", path: root, query: page, answer: pageOf(WebhookRevision) }),
    show: (id: string) => http.ask({ method: "GET", path: [...root, id], answer: WebhookRevision }),
    remove: (id: string) => http.ask({ method: "DELETE", path: [...root, id], answer: WebhookRevision }),
    rotate: (id: string) => http.ask({ method: "POST", path: [...root, id, "rotate"], answer: WebhookWithSecret }),
    test: (id: string) => http.ask({ method: "POST", path: [...root, id, "test"], answer: DeliveryReport }),
    deliveries: (id: string, page: PageAsk) =>
      http.ask({ method: "GET", path: deliveries(id), query: page, answer: pageOf(DeliveryReport) }),
    replay: (id: string, event: string) => http.ask({ method: "POST", path: [...deliveries(id), event, "replay"], answer: DeliveryReport }),
  };
}
