import * as z from "zod";

export const PAGE_ITEMS_MAX = 100;
export const PAGE_ITEMS_DEFAULT = 50;

/** Every list is asked for in this form: how many, and where the page before ended. */
export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(PAGE_ITEMS_MAX).default(PAGE_ITEMS_DEFAULT),
  cursor: z.string().min(1).max(1024).optional(),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** One page of a list; `nextCursor` is absent on the last one. */
export type Page<T> = { readonly items: readonly T[]; readonly nextCursor?: string };

/** The schema of one page of a list. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().exactOptional() });
}

const PAGES_MAX = 10_000;

/** Every item of a list, page by page, for our own loops: a consistent walk if the list is. */
export async function* eachItem<T>(list: (page: PageQuery) => Promise<Page<T>>): AsyncGenerator<T> {
  let page = await list({ limit: PAGE_ITEMS_MAX });
  for (let pages = 1; ; pages += 1) {
    yield* page.items;
    if (page.nextCursor === undefined) return;
    if (pages >= PAGES_MAX) throw new Error(`a list has more than ${PAGES_MAX} pages`);
    page = await list({ limit: PAGE_ITEMS_MAX, cursor: page.nextCursor });
  }
}
