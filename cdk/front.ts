import { Duration } from "aws-cdk-lib";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import {
  AllowedMethods,
  CachePolicy,
  Distribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestPolicy,
  OriginSslPolicy,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from "aws-cdk-lib/aws-cloudfront";
import { HttpOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledgements.ts";
import type { Alarms } from "./alarms.ts";
import type { StageConfig } from "./config.ts";
import type { Edge } from "./edge.ts";
import type { Secrets } from "./secrets.ts";

/** The longest wait for the first byte, and between two: longer than the gateway's own deadline of 60 s and the 10 s it may take to settle. */
const SILENCE_MAX = Duration.seconds(75);
const COUNTING_REGION = "us-east-1";
const SHARE_PERIOD = Duration.minutes(5);
const SHARE_PERIODS = 3;
const SHARE_5XX_PERCENT = 5;
const KEEP_ALIVE = Duration.seconds(60);

/** CloudFront before the gateway: HTTP/2 and 3, a domain, and later the firewall. It caches nothing, since every answer is metered. */
export class Front extends Construct {
  readonly url: string;

  constructor(scope: Construct, id: string, props: { stage: StageConfig; alarms: Alarms; edge: Edge; secrets: Secrets }) {
    super(scope, id);
    const { domain } = props.stage;
    const distribution = new Distribution(this, "Distribution", {
      comment: `Weir ${props.stage.name}`,
      httpVersion: HttpVersion.HTTP2_AND_3,
      ...(domain && domainProps(this, domain)),
      defaultBehavior: {
        origin: createOrigin(props.edge, props.secrets),
        allowedMethods: AllowedMethods.ALLOW_ALL,
        viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY, // a redirect would come after the key had crossed in the clear
        cachePolicy: CachePolicy.CACHING_DISABLED,
        originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        functionAssociations: [{ eventType: FunctionEventType.VIEWER_REQUEST, function: createAddressStamp(this) }],
      },
    });
    // CloudFront counts in this Region alone, and an alarm looks at no other; elsewhere the gateway's log is what there is.
    if (props.stage.region === COUNTING_REGION) alarmOfAnswers(this, props.alarms, distribution);
    acknowledge(distribution, "AwsSolutions-CFR1", "AwsSolutions-CFR2", "AwsSolutions-CFR3");
    if (domain === undefined) acknowledge(distribution, "AwsSolutions-CFR4");
    this.url = `https://${domain?.name ?? distribution.distributionDomainName}`;
  }
}

function alarmOfAnswers(scope: Construct, alarms: Alarms, distribution: Distribution) {
  alarms.ofMuch(scope, "Answers5xx", {
    title: "answers are 5xx",
    meaning: `Of all requests, ${SHARE_5XX_PERCENT} % and more are answered 5xx for a quarter of an hour. If the gateway's log is silent it is not reached: look at the origin secret and the Web Function.`,
    metric: distribution.metric5xxErrorRate({ period: SHARE_PERIOD }),
    atLeast: SHARE_5XX_PERCENT,
    periods: SHARE_PERIODS,
  });
}

/** The header that says who calls; the gateway believes it (`WEIR_TRUSTED_PROXIES`) because nobody comes past the function that overwrites it. */
export const VIEWER_ADDRESS_HEADER = "weir-viewer-address";

/**
 * CloudFront's own `CloudFront-Viewer-Address` comes only with a policy that also passes `Host` on, which the gateway's address refuses;
 * and what a Web Function's front adds to `X-Forwarded-For` is not documented.
 */
function createAddressStamp(scope: Construct): EdgeFunction {
  const code = `function handler(event) {
  var request = event.request;
  request.headers["${VIEWER_ADDRESS_HEADER}"] = { value: event.viewer.ip };
  return request;
}`;
  return new EdgeFunction(scope, "AddressStamp", { code: FunctionCode.fromInline(code), runtime: FunctionRuntime.JS_2_0 });
}

function domainProps(scope: Construct, domain: { name: string; certificateArn: string }) {
  return {
    domainNames: [domain.name],
    certificate: Certificate.fromCertificateArn(scope, "Certificate", domain.certificateArn),
    minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
  };
}

/** No origin access control: it would overwrite `Authorization` and ask callers for a hash of each body. A secret header says who is calling. */
function createOrigin(edge: Edge, secrets: Secrets): HttpOrigin {
  return new HttpOrigin(edge.function.endpoint.domainName, {
    protocolPolicy: OriginProtocolPolicy.HTTPS_ONLY,
    originSslProtocols: [OriginSslPolicy.TLS_V1_2],
    readTimeout: SILENCE_MAX,
    keepaliveTimeout: KEEP_ALIVE,
    // CloudFront's configuration is where this header has to be; the reference keeps it out of the template.
    customHeaders: { "weir-origin": secrets.activeOrigin.unsafeUnwrap() },
  });
}
