import { expect, test } from "vitest";
import { TABLES, tableName } from "../../shared/dynamo/tables.ts";
import { cpuStage, templateOf } from "./synthesise.ts";
import { at, resourcesOf, textOf } from "./template.ts";

const template = templateOf(cpuStage);
const tables = resourcesOf(template, "AWS::DynamoDB::GlobalTable");
const buckets = resourcesOf(template, "AWS::S3::Bucket");
const bucketPolicies = resourcesOf(template, "AWS::S3::BucketPolicy");

test("the cloud has the tables of shared/dynamo/tables.ts, with the same keys and indexes, and no others", () => {
  const shapes = tables.map(({ properties }) => ({
    name: at(properties, "TableName"),
    keys: at(properties, "KeySchema"),
    indexes: [at(properties, "GlobalSecondaryIndexes") ?? []].flat(),
    types: at(properties, "AttributeDefinitions"),
  }));

  const expected = TABLES.map((table) => {
    const indexes = table.indexes ?? [];
    const names = [table, ...indexes].flatMap(({ partitionKey, sortKey }) =>
      sortKey === undefined ? [partitionKey] : [partitionKey, sortKey],
    );
    return {
      name: tableName(cpuStage.tablePrefix, table),
      keys: keySchemaOf(table),
      indexes: indexes.map((index) => ({
        IndexName: index.name,
        KeySchema: keySchemaOf(index),
        Projection: { ProjectionType: "KEYS_ONLY" },
      })),
      types: names.map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
    };
  });
  expect(shapes).toEqual(expected);
});

test("every table is on demand, can be restored to any second, and cannot be deleted by mistake", () => {
  for (const { properties, deletionPolicy } of tables) {
    expect(at(properties, "BillingMode")).toBe("PAY_PER_REQUEST");
    expect(at(properties, "Replicas")).toEqual([
      expect.objectContaining({
        Region: cpuStage.region,
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      }),
    ]);
    expect(deletionPolicy).toBe("Retain");
  }
});

test("every bucket is versioned, encrypted, closed to the public, reached over TLS only, and kept", () => {
  expect(buckets).toHaveLength(3);
  for (const { id, properties, deletionPolicy } of buckets) {
    expect(at(properties, "VersioningConfiguration.Status")).toBe("Enabled");
    expect(at(properties, "BucketEncryption.ServerSideEncryptionConfiguration")).toHaveLength(1);
    expect(Object.values(at(properties, "PublicAccessBlockConfiguration") ?? {})).toEqual([true, true, true, true]);
    expect(at(properties, "CorsConfiguration")).toBeUndefined();
    expect(deletionPolicy).toBe("Retain");
    const policy = bucketPolicies.find((each) => textOf(at(each.properties, "Bucket")) === `<${id}>`);
    expect(at(policy?.properties, "PolicyDocument.Statement")).toContainEqual(
      expect.objectContaining({ Effect: "Deny", Action: "s3:*", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
    );
  }
});

test("what nobody completes leaves the models' bucket within a day", () => {
  const models = buckets.find(({ id }) => id.startsWith("Models"));

  expect(at(models?.properties, "LifecycleConfiguration.Rules")).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: "Enabled" }),
      expect.objectContaining({ Prefix: "incoming/", ExpirationInDays: 1, Status: "Enabled" }),
    ]),
  );
});

test("kept answers leave the records' bucket after a day, and issued documents stay; of removed ones no version does", () => {
  const records = buckets.find(({ id }) => id.startsWith("Records"));

  const rules = [at(records?.properties, "LifecycleConfiguration.Rules") ?? []].flat();
  expect(rules).toContainEqual(
    expect.objectContaining({ Prefix: "bodies/", ExpirationInDays: 1, NoncurrentVersionExpiration: { NoncurrentDays: 1 } }),
  );
  const ofDocuments = rules.filter((rule) => at(rule, "Prefix") !== "bodies/");
  expect(ofDocuments).toEqual([
    {
      Id: "removed",
      Status: "Enabled",
      Prefix: "invoices/",
      ExpiredObjectDeleteMarker: true,
      NoncurrentVersionExpiration: { NoncurrentDays: 30 },
    },
  ]);
});

function keySchemaOf({ partitionKey, sortKey }: { partitionKey: string; sortKey?: string }) {
  const hash = { AttributeName: partitionKey, KeyType: "HASH" };
  return sortKey === undefined ? [hash] : [hash, { AttributeName: sortKey, KeyType: "RANGE" }];
}
