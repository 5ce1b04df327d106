/** Where documents lie: the records bucket. Keys of issued ones name their content's digest, so that nothing is ever written over another thing. */
export type DocumentStore = {
  readonly put: (key: string, bytes: Uint8Array, contentType: string) => Promise<void>;
  /** Undefined if there is none. */
  readonly get: (key: string) => Promise<Uint8Array | undefined>;
};

/** For the deletion of a tenant only. What is not there is gone already. */
export type DocumentRemover = { readonly remove: (key: string) => Promise<void> };

export const DOCUMENTS_FOLDER = "invoices";
/** No document is larger: some 20,000 lines. */
export const DOCUMENT_BYTES_MAX = 8 * 1024 * 1024;

/** A draft is written again and again in its place; readers check nothing but that it is whole. */
export function draftKey(invoice: string): string {
  return `${DOCUMENTS_FOLDER}/${invoice}/draft.json`;
}

export function documentKey(bearer: string, sha256: string, format: string): string {
  return `${DOCUMENTS_FOLDER}/${bearer}/${sha256}.${format}`;
}

export const CONTENT_TYPES = { json: "application/json", csv: "text/csv; charset=utf-8", pdf: "application/pdf" } as const;
