import type { z } from "zod";
import { type Page, type PageQuery, pageOf } from "../base/page.ts";
import {
  type ModelChange,
  ModelRevision,
  type NewVersion,
  type Upload,
  UploadPlan,
  VersionContent,
  VersionRevision,
} from "../models/publication.ts";
import type { Http } from "./http.ts";
import { patiently } from "./patiently.ts";

export type ModelsClient = ReturnType<typeof createModelsClient>;

/** The admin API's models and versions. */
export function createModelsClient(http: Http) {
  const root = ["admin", "models"];
  return {
    list: (page: Partial<PageQuery>) => listOf(http, { path: root, page, item: ModelRevision }),
    show: (name: string) => http.ask({ method: "GET", path: [...root, name], answer: ModelRevision }),
    change: (name: string, body: ModelChange) => http.ask({ method: "PUT", path: [...root, name], body, answer: ModelRevision }),
    versions: (name: string, page: Partial<PageQuery>) => listOf(http, { path: [...root, name, "versions"], page, item: VersionRevision }),
    version: (name: string, number: number) =>
      http.ask({ method: "GET", path: [...root, name, "versions", String(number)], answer: VersionRevision }),
    content: (name: string, number: number) =>
      http.ask({ method: "GET", path: [...root, name, "versions", String(number), "content"], answer: VersionContent }),
    // Both may be asked again: the first stores nothing, and the second time the second finds what the first made.
    planUpload: (name: string, body: Upload) =>
      patiently(() => http.ask({ method: "POST", path: [...root, name, "uploads"], body, answer: UploadPlan })),
    makeVersion: (name: string, body: NewVersion) =>
      patiently(() => http.ask({ method: "POST", path: [...root, name, "versions"], body, answer: VersionRevision })),
  };
}

type List<T> = { readonly path: readonly string[]; readonly page: Partial<PageQuery>; readonly item: z.ZodType<T> };

function listOf<T>(http: Http, { path, page, item }: List<T>): Promise<Page<T>> {
  return http.ask({ method: "GET", path, query: page, answer: pageOf(item) });
}
