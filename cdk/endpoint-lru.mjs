// The SDK's cache of discovered endpoints keeps them in mnemonist's LRU. Nothing here discovers endpoints, and the gateway has an LRU of its own:
// the bundle does with one of them.
import { LRUCache } from "lru-cache";

// biome-ignore lint/style/noDefaultExport: that is what the SDK imports
export default class EndpointLru extends LRUCache {
  constructor(max) {
    super({ max });
  }
}
