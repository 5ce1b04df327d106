import { type Effort, spend } from "./effort.ts";
import { demandsOf, pathOf, refusal, type Schema } from "./schema.ts";

/** Ways to choose one branch of each `anyOf` that meets at one value. */
const COMBINATIONS_MAX = 1_024;

/**
 * All that one value must meet, resolved: a value is valid if all schemas of one of these lists accept it, their own `anyOf`, `allOf` and `$ref` left
 * aside. References and `allOf` join the list, and of each `anyOf` every branch makes a list of its own.
 */
export function alternativesOf(schemas: readonly Schema[], effort: Effort): readonly (readonly Schema[])[] {
  const finished: (readonly Schema[])[] = [];
  const open: Partial[] = [join({ held: new Set(), choices: [] }, schemas)];
  for (let partial = open.pop(); partial !== undefined; partial = open.pop()) {
    spend(effort, partial.held.size + partial.choices.length, pathOf(schemas));
    const [choice, ...choices] = partial.choices;
    if (choice === undefined) finished.push([...partial.held]);
    if (finished.length + open.length > COMBINATIONS_MAX) {
      throw refusal(pathOf(schemas), `anyOf: more than ${COMBINATIONS_MAX} combinations`);
    }
    // Backwards, for they are taken from the end: the schema's order is kept.
    for (const branch of (choice ?? []).toReversed()) open.push(join({ held: partial.held, choices }, [branch]));
  }
  return finished;
}

type Partial = { readonly held: ReadonlySet<Schema>; readonly choices: readonly (readonly Schema[])[] };

/** Ends, because no schema demands itself (check-schema.ts) and each is held once. */
function join({ held, choices }: Partial, schemas: readonly Schema[]): Partial {
  const all = new Set(held);
  const more: (readonly Schema[])[] = [...choices];
  const waiting = schemas.toReversed();
  for (let schema = waiting.pop(); schema !== undefined; schema = waiting.pop()) {
    if (all.has(schema)) continue;
    all.add(schema);
    if (schema.anyOf !== undefined) more.push(schema.anyOf);
    waiting.push(...demandsOf(schema).toReversed());
  }
  return { held: all, choices: more };
}
