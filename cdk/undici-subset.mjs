// What the gateway uses of undici, in place of all of it, when it is bundled: half of the package is fetch, WebSockets, caches and mocks,
// and it is CommonJS, which esbuild cannot shake. A name that is missing here fails the bundling, not the gateway.
import dispatcherRequest from "../node_modules/undici/lib/api/api-request.js";
import errors from "../node_modules/undici/lib/core/errors.js";
import Agent from "../node_modules/undici/lib/dispatcher/agent.js";
import Client from "../node_modules/undici/lib/dispatcher/client.js";
import Dispatcher from "../node_modules/undici/lib/dispatcher/dispatcher.js";
import Pool from "../node_modules/undici/lib/dispatcher/pool.js";

// As undici's own index does with this and with `stream`, `pipeline`, `upgrade` and `connect`, which nobody calls here.
Dispatcher.prototype.request = dispatcherRequest;

const everybodys = new Agent({ allowH2: false });

/** undici's `request` with its usual arguments, on an agent of its own instead of the one that fetch would share. */
function request(url, options) {
  const { origin, pathname, search } = new URL(url);
  return everybodys.request({ method: "GET", ...options, origin, path: pathname + search });
}

export { Agent, Client, errors, Pool, request };
