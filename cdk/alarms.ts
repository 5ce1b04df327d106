import { Duration } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, type IMetric, type Metric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { FilterPattern, type IFilterPattern, type ILogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import { type StageConfig, stageId } from "./config.ts";

const NAMESPACE = "Weir";

export type AlarmProps = {
  /** Stands in the alarm's name, after the stage's. */
  readonly title: string;
  /** What it means, and what to do. */
  readonly meaning: string;
  readonly metric: IMetric;
  /** Reached or passed in so many periods in a row. */
  readonly atLeast: number;
  readonly periods?: number;
};

/** Who is told when something costs users money or sleep, and of what: each room says what that is of its own parts. */
export class Alarms extends Construct {
  readonly topic: Topic;
  readonly #stage: string;

  constructor(scope: Construct, id: string, stage: StageConfig) {
    super(scope, id);
    this.#stage = stageId(stage);
    this.topic = new Topic(this, "Topic", { displayName: `Weir ${this.#stage}`, enforceSSL: true });
    // A policy of its own takes the place of the default one, by which CloudWatch could publish.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": this.topic.stack.account } },
      }),
    );
    for (const email of stage.alarmEmails) this.topic.addSubscription(new EmailSubscription(email));
  }

  /** Raised by too much of something. Where nothing is measured, nothing is wrong. */
  ofMuch(scope: Construct, id: string, props: AlarmProps): void {
    this.#add(scope, id, props, TreatMissingData.NOT_BREACHING);
  }

  /** Raised when nothing comes: a new installation's stands until the first. */
  ofNothing(scope: Construct, id: string, props: Omit<AlarmProps, "atLeast" | "periods">): void {
    this.#add(scope, id, { ...props, atLeast: 1 }, TreatMissingData.BREACHING);
  }

  #add(scope: Construct, id: string, { title, meaning, metric, atLeast, periods = 1 }: AlarmProps, treatMissingData: TreatMissingData) {
    const isOfNothing = treatMissingData === TreatMissingData.BREACHING;
    const alarm = new Alarm(scope, id, {
      alarmName: `Weir ${this.#stage} ${title}`,
      alarmDescription: meaning,
      metric,
      threshold: atLeast,
      comparisonOperator: isOfNothing ? ComparisonOperator.LESS_THAN_THRESHOLD : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData,
    });
    const action = new SnsAction(this.topic);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
  }
}

export type Counted = {
  readonly logGroup: ILogGroup;
  readonly metricName: string;
  readonly pattern: IFilterPattern;
  readonly period: Duration;
};

/** How many lines of a log say something: our processes write one JSON object a line (shared/log). */
export function countLines(scope: Construct, id: string, { logGroup, metricName, pattern, period }: Counted): Metric {
  const filter = new MetricFilter(scope, id, {
    logGroup,
    filterPattern: pattern,
    metricNamespace: NAMESPACE,
    metricName,
    metricValue: "1",
    defaultValue: 0,
  });
  return filter.metric({ statistic: "Sum", period });
}

const ERRORS_PERIOD = Duration.minutes(5);

/** Lines of level `error`: what a process could not do by its own fault, or by that of its data, and goes on without. */
export function alarmOfErrors(alarms: Alarms, scope: Construct, { logGroup, name }: { logGroup: ILogGroup; name: string }): void {
  const pattern = FilterPattern.stringValue("$.level", "=", "error");
  alarms.ofMuch(scope, "LoggedErrors", {
    title: `${name} logs errors`,
    meaning: `${name} met what it cannot deal with and went on without it, such as one tenant's data. Its log's lines of level "error" say what, and of whom.`,
    metric: countLines(scope, "Errors", {
      logGroup,
      metricName: `LoggedErrors-${name.replaceAll(" ", "-")}`,
      pattern,
      period: ERRORS_PERIOD,
    }),
    atLeast: 1,
  });
}
