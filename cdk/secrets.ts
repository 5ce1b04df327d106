import { RemovalPolicy, SecretValue } from "aws-cdk-lib";
import { Grant, type Role } from "aws-cdk-lib/aws-iam";
import { Secret, type SecretProps, type SecretStringGenerator } from "aws-cdk-lib/aws-secretsmanager";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledgements.ts";
import type { StageConfig } from "./config.ts";

const SECRET_CHARACTERS = 48;
const LETTERS_AND_DIGITS: SecretStringGenerator = { passwordLength: SECRET_CHARACTERS, excludePunctuation: true };

/**
 * What only the gateway may know. It fetches them when it starts: whoever may read a function's settings could read its environment too.
 * Values are made once by CloudFormation and then belong to the operators; deploying again does not change them.
 */
export class Secrets extends Construct {
  /** What CloudFront sends as `Weir-Origin` now. */
  readonly activeOrigin: SecretValue;
  readonly environment: Readonly<Record<string, string>>;
  /** For functions that need the peppers and nothing else. */
  readonly pepperEnvironment: Readonly<Record<string, string>>;
  private readonly secrets: readonly Secret[];
  private readonly peppers: Secret;

  constructor(scope: Construct, id: string, { secrets: { origin, revision } }: StageConfig) {
    super(scope, id);
    const peppers = this.create("Peppers", "HMAC peppers of keys by version: add one, never take one away that keys were made with", {
      generateSecretString: { ...LETTERS_AND_DIGITS, secretStringTemplate: "{}", generateStringKey: "1" },
    });
    const receipts = this.create("Receipts", "What signing keys of receipts are made of, by version: add one, never take one away", {
      generateSecretString: { ...LETTERS_AND_DIGITS, secretStringTemplate: "{}", generateStringKey: "1" },
    });
    const origins = {
      a: this.create("OriginA", "One of two that the gateway accepts from CloudFront", { generateSecretString: LETTERS_AND_DIGITS }),
      b: this.create("OriginB", "One of two that the gateway accepts from CloudFront", { generateSecretString: LETTERS_AND_DIGITS }),
    };
    const upstream = this.create(
      "Upstream",
      "Keys of foreign engines: an object of WEIR_UPSTREAM_… names, each with a value and the origins that it may be sent to",
      {
        secretStringValue: SecretValue.unsafePlainText("{}"), // empty, so nothing is given away
      },
    );
    this.secrets = [peppers, receipts, origins.a, origins.b, upstream];
    this.peppers = peppers;
    this.pepperEnvironment = { WEIR_SECRET_PEPPERS: peppers.secretArn, WEIR_SECRETS_REVISION: String(revision) };
    this.activeOrigin = origins[origin].secretValue;
    this.environment = {
      WEIR_SECRET_PEPPERS: peppers.secretArn,
      WEIR_SECRET_RECEIPTS: receipts.secretArn,
      WEIR_SECRET_ORIGIN_A: origins.a.secretArn,
      WEIR_SECRET_ORIGIN_B: origins.b.secretArn,
      WEIR_SECRET_UPSTREAM: upstream.secretArn,
      // A new number makes a new revision of the gateway, which fetches the values again.
      WEIR_SECRETS_REVISION: String(revision),
    };
  }

  grantRead(role: Role): void {
    const resourceArns = this.secrets.map((secret) => secret.secretArn);
    Grant.addToPrincipal({ grantee: role, actions: ["secretsmanager:GetSecretValue"], resourceArns });
  }

  grantPeppers(role: Role): void {
    Grant.addToPrincipal({ grantee: role, actions: ["secretsmanager:GetSecretValue"], resourceArns: [this.peppers.secretArn] });
  }

  private create(id: string, description: string, value: Pick<SecretProps, "generateSecretString" | "secretStringValue">) {
    const secret = new Secret(this, id, { description: `Weir: ${description}`, removalPolicy: RemovalPolicy.RETAIN, ...value });
    acknowledge(secret, "AwsSolutions-SMG4");
    return secret;
  }
}
