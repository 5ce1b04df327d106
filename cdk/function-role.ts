import { Grant, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";

/**
 * A function's log, and a role that may write it and nothing else.
 * AWS's managed policy for this opens every log group of the account, so it is not used.
 */
export class FunctionRole extends Construct {
  readonly log: LogGroup;
  readonly role: Role;

  constructor(scope: Construct, id: string, logRetentionDays: number) {
    super(scope, id);
    this.log = new LogGroup(this, "Log", { retention: logRetentionDays });
    this.role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    const actions = ["logs:CreateLogStream", "logs:PutLogEvents"];
    Grant.addToPrincipal({ grantee: this.role, actions, resourceArns: [this.log.logGroupArn] });
  }
}
