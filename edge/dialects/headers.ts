/** What a caller of any dialect may say in headers. */
export const INFER_HEADERS = [{ name: "Weir-Unit", summary: "What sticks to one arm of a split; else the caller's `user`, else the key" }];
