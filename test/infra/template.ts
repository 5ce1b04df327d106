import * as z from "zod";

/** What a stack's template holds, as far as these tests look. Properties differ with the type: they are looked into by path, see `at`. */
export const Template = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Type: z.string(), Properties: z.unknown().default({}), DeletionPolicy: z.string().optional() }),
  ),
});
export type Template = z.infer<typeof Template>;

export type Resource = { readonly id: string; readonly properties: unknown; readonly deletionPolicy: string | undefined };

/** One statement of a role's policy, with ARNs as texts. */
export type Allowance = { readonly policy: string; readonly actions: readonly string[]; readonly resources: readonly string[] };

const Statement = z.object({
  Action: z.union([z.string(), z.array(z.string())]).transform((action) => [action].flat()),
  Resource: z.unknown().transform((resource) => [resource].flat().map(textOf)),
});
const Policy = z.object({ PolicyDocument: z.object({ Statement: z.array(Statement) }) });

export function resourcesOf(template: Template, type: string): Resource[] {
  return Object.entries(template.Resources)
    .filter(([, { Type }]) => Type === type)
    .map(([id, { Properties, DeletionPolicy }]) => ({ id, properties: Properties, deletionPolicy: DeletionPolicy }));
}

/** The only resource of a type, or the only one whose id begins so. */
export function resourceOf(template: Template, type: string, idPrefix = ""): Resource {
  const [first, ...more] = resourcesOf(template, type).filter(({ id }) => id.startsWith(idPrefix));
  if (first === undefined || more.length > 0)
    throw new Error(`expected one ${type} ${idPrefix}, found ${first?.id} and ${more.length} more`);
  return first;
}

/** What lies at a path such as `LoggingConfig.LogGroup.Ref`; undefined where nothing does. */
export function at(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((inner, name) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, name) : undefined), value);
}

/** What all roles may do. */
export function allowancesOf(template: Template): Allowance[] {
  return resourcesOf(template, "AWS::IAM::Policy").flatMap(({ id, properties }) =>
    Policy.parse(properties).PolicyDocument.Statement.map(({ Action, Resource }) => ({ policy: id, actions: Action, resources: Resource })),
  );
}

/** A text as CloudFormation would make it, with `<LogicalId.Arn>` for what only it knows. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  const reference = at(value, "Ref");
  if (typeof reference === "string") return `<${reference}>`;
  const attribute = at(value, "Fn::GetAtt");
  if (Array.isArray(attribute)) return `<${attribute.join(".")}>`;
  const substituted = at(value, "Fn::Sub");
  if (typeof substituted === "string") return substituted.replaceAll(/\$\{([^}]+)\}/g, "<$1>");
  const joined = at(value, "Fn::Join");
  if (Array.isArray(joined) && Array.isArray(joined[1])) return joined[1].map(textOf).join(String(joined[0]));
  throw new Error(`a text that this test cannot read: ${JSON.stringify(value)}`);
}
