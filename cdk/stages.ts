import { CloudConfig } from "./config.ts";

/** Where Weir runs, and with what: the file that an installation edits. */
export const stages = CloudConfig.parse([
  {
    name: "prod",
    region: "us-east-1",
    cell: "c1",
    tablePrefix: "weir",
    ledgerShards: [{ fromMinute: "", shardCount: 4 }],
    // A pool of GPUs is one more entry:
    //   { name: "gpu", tier: "gpu", memoryMiB: 16_384, concurrency: 16, acceleratorMemoryGiB: 24 }
    // One for small models in the gateway itself, where nothing has to be woken, is another:
    //   { name: "edge", tier: "edge" }
    pools: [{ name: "cpu", tier: "cpu", memoryMiB: 3538, concurrency: 20 }],
    gateway: { environmentsMax: 20 },
    intake: { memoryMiB: 3538 },
    logRetentionDays: 30,
    // Who is told of alarms: alarmEmails: ["ops@example.com"],
    secrets: { revision: 1, origin: "a" },
  },
]);
