/** Where secrets are read from that stand in no environment. */
export type SecretReader = {
  /** One secret's text, by its ARN. Fails if it is not there or may not be read. */
  readonly read: (arn: string) => Promise<string>;
  readonly close: () => Promise<void>;
};
