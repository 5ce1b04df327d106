import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import { Architecture, CapacityProvider, type IFunction } from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledgements.ts";
import type { GpuPool, StageConfig } from "./config.ts";

const MEMORY_GIB_PER_VCPU = 4;

/** GPU instances in this account, run by Lambda; they exist only while a pool of tier `gpu` needs them. Pools share them, as they trust each other. */
export class GpuCapacity extends Construct {
  private readonly provider: CapacityProvider;

  constructor(scope: Construct, id: string, stage: StageConfig) {
    super(scope, id);
    // The library's Vpc implements IVpc; only exactOptionalPropertyTypes, which its types are not written for, sees a difference.
    const vpc = createNetwork(this, stage) as IVpc;
    const securityGroup = new SecurityGroup(this, "Https", {
      vpc,
      allowAllOutbound: false,
      description: "Out to AWS over TLS, nothing in",
    });
    securityGroup.addEgressRule(Peer.anyIpv4(), Port.HTTPS, "S3, ECR, CloudWatch and Lambda");
    this.provider = new CapacityProvider(this, "Provider", {
      subnets: vpc.privateSubnets,
      securityGroups: [securityGroup],
      architectures: [Architecture.X86_64],
    });
    acknowledge(this.provider, "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AWSLambdaManagedEC2ResourceOperator]");
  }

  add(created: IFunction, pool: GpuPool) {
    this.provider.addFunction(created, {
      perExecutionEnvironmentMaxConcurrency: Math.ceil(pool.concurrency / pool.environmentsMax),
      executionEnvironmentMemoryGiBPerVCpu: MEMORY_GIB_PER_VCPU,
      publishToLatestPublished: true,
      latestPublishedScalingConfig: { minExecutionEnvironments: pool.environmentsMin, maxExecutionEnvironments: pool.environmentsMax },
    });
  }
}

/** Two zones, no way in, one NAT gateway out. Zones are named, or an offline synthesis would invent them. */
function createNetwork(scope: Construct, stage: StageConfig): Vpc {
  const vpc = new Vpc(scope, "Network", {
    ipAddresses: IpAddresses.cidr("10.42.0.0/20"),
    availabilityZones: stage.availabilityZones ?? [`${stage.region}a`, `${stage.region}b`],
    natGateways: 1,
    subnetConfiguration: [
      { name: "egress", subnetType: SubnetType.PUBLIC, mapPublicIpOnLaunch: false, cidrMask: 26 },
      { name: "instances", subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 23 },
    ],
    // Models come from S3 by this door, not through the NAT gateway, which charges per byte.
    gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
  });
  const logGroup = new LogGroup(scope, "RefusedTraffic", { retention: stage.logRetentionDays });
  vpc.addFlowLog("Refused", { destination: FlowLogDestination.toCloudWatchLogs(logGroup), trafficType: FlowLogTrafficType.REJECT });
  return vpc;
}
