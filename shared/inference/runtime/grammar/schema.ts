import { Failure } from "../../../base/failure.ts";

/** What a value can be; `fraction` is a number that need not be whole, so that `number` is both and `integer` one of them. */
export type Kind = "null" | "boolean" | "integer" | "fraction" | "string" | "array" | "object";

export const KINDS: readonly Kind[] = ["object", "array", "string", "integer", "fraction", "boolean", "null"];

/** A JSON schema that was read and found to lie in the subset. What is absent, allows. */
export type Schema = {
  /** Its number among the schemas of its document. */
  readonly id: number;
  /** Where it stands, for messages. */
  readonly path: string;
  /** The schema `false`: nothing fits. */
  readonly isNever?: true;
  readonly kinds?: readonly Kind[];
  /** Of `enum`, in its order, and of `const`. */
  readonly values?: ReadonlySet<unknown>;
  readonly constant?: { readonly value: unknown };
  readonly lengthMin?: number;
  readonly lengthMax?: number;
  readonly itemsMin?: number;
  readonly itemsMax?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly items?: Schema;
  readonly properties?: ReadonlyMap<string, Schema>;
  readonly required?: readonly string[];
  readonly additional?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  /** Where its `$ref` leads. */
  readonly target?: Schema;
};

/** A place in a schema document: as messages write it, and as a JSON pointer without its `#`. */
export type Place = { readonly path: string; readonly pointer: string };

export function placeBelow({ path, pointer }: Place, name: string | number): Place {
  return { path: `${path}.${name}`, pointer: `${pointer}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}` };
}

/** Of a path in a refusal: names in a schema may be long. */
const PATH_UNITS_MAX = 300;

export function refusal(path: string, message: string): Failure {
  const field = path.length > PATH_UNITS_MAX ? `${path.slice(0, PATH_UNITS_MAX)}…` : path;
  return new Failure("invalid_request", `${message} (at ${field})`, { field });
}

/** All that must hold, too, of a value of this schema: not of its parts, and not one of several. */
export function demandsOf(schema: Schema): readonly Schema[] {
  return schema.target === undefined ? (schema.allOf ?? []) : [...(schema.allOf ?? []), schema.target];
}

/** Where to point at in a refusal that concerns several schemas of one value. */
export function pathOf(schemas: readonly Schema[]): string {
  return schemas[0]?.path ?? "response_format";
}
