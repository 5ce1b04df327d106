import packageJson from "../package.json" with { type: "json" };

/** This gateway's version. */
export const VERSION: string = packageJson.version;
