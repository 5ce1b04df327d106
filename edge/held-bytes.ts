import { Failure } from "../shared/base/failure.ts";
import { HELD_BYTES_MAX, TENANT_HELD_BYTES_MAX } from "./limits.ts";

/** What one request holds of this process's memory: its body, and its answer until the caller has taken it. */
export type Hold = {
  /** Before a body is read. Fails with `overloaded` if its tenant, or all together, would hold too much. */
  readonly take: (bytes: number) => void;
  /** For an answer: it is metered already, so it is counted and never refused; whoever leaves answers unread is refused later on. */
  readonly keep: (bytes: number) => void;
  readonly release: () => void;
};

/** A rate says nothing about size, so bytes are counted too, and one tenant's large bodies leave room for the others'. */
export function createHeldBytes(): (tenant: string) => Hold {
  const ofTenant = new Map<string, number>();
  let ofAll = 0;

  function add(tenant: string, bytes: number) {
    const held = (ofTenant.get(tenant) ?? 0) + bytes;
    ofAll += bytes;
    if (held === 0) ofTenant.delete(tenant);
    else ofTenant.set(tenant, held);
  }

  return (tenant) => {
    let held = 0;
    const keep = (bytes: number) => {
      held += bytes;
      add(tenant, bytes);
    };
    return {
      keep,
      take(bytes) {
        const isTenantFull = (ofTenant.get(tenant) ?? 0) + bytes > TENANT_HELD_BYTES_MAX;
        if (isTenantFull || ofAll + bytes > HELD_BYTES_MAX) throw overloaded();
        keep(bytes);
      },
      release() {
        add(tenant, -held);
        held = 0;
      },
    };
  };
}

function overloaded(): Failure {
  return new Failure("overloaded", "Too many large requests are in flight at once. Try again shortly.", { retryAfterMs: 1_000 });
}
