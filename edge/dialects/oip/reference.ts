import type { EdgeContext } from "../../env.ts";

/** The model reference of a path: `/models/minilm/versions/2` is `minilm@2`. */
export function referenceOf(c: EdgeContext): string {
  const [model = "", version] = [c.req.param("model"), c.req.param("version")];
  return version === undefined ? model : `${model}@${version}`;
}
