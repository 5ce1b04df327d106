import * as z from "zod";

export type Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
export type CredentialSource = () => Promise<Credentials>;

/** What a process's environment may say of who it is: Lambda sets it for its functions, and one machine for its parts. */
export const AWS_IDENTITY = {
  AWS_ACCESS_KEY_ID: z.string().min(1).optional(),
  AWS_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
  AWS_PROFILE: z.string().min(1).optional(),
} as const;
type AwsIdentity = { readonly [name in keyof typeof AWS_IDENTITY]?: string | undefined };

/**
 * The environment's own credentials; where it has none, or names a profile, the SDK's chain (files, containers, instances), which is loaded when it is
 * first asked: at the start of a gateway it would weigh as much as all of Weir.
 */
export function credentialsOf(identity: AwsIdentity): CredentialSource {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken, AWS_PROFILE } = identity;
  if (accessKeyId === undefined || secretAccessKey === undefined || AWS_PROFILE !== undefined) return chainedCredentials();
  const own = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  return async () => own;
}

/** The SDK's own chain, which renews what expires. */
export function chainedCredentials(): CredentialSource {
  let chain: Promise<CredentialSource> | undefined;
  return async () => {
    chain ??= import("@aws-sdk/credential-provider-node").then(({ defaultProvider }) => defaultProvider());
    return (await chain)();
  };
}
