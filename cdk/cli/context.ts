import { type AdminClient, createAdminClient } from "../../shared/clients/admin.ts";
import { createHttp, type Http } from "../../shared/clients/http.ts";
import { createOipClient, type OipClient } from "../../shared/clients/oip.ts";
import { createTenantClient, type TenantClient } from "../../shared/clients/tenant.ts";
import type { CliSettings } from "./config.ts";
import type { Output } from "./output.ts";

/** What every command is given. Settings are read on first use, so that `--help` works without a gateway. */
export type CliContext = {
  readonly http: () => Http;
  readonly admin: () => AdminClient;
  readonly tenant: () => TenantClient;
  readonly oip: () => OipClient;
  readonly output: Output;
};

export function createContext(settings: () => CliSettings, output: Output): CliContext {
  const http = () => createHttp(settings());
  return {
    http,
    admin: () => createAdminClient(http()),
    tenant: () => createTenantClient(http()),
    oip: () => createOipClient(http()),
    output,
  };
}
