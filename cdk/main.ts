import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { stages } from "./stages.ts";
import { WeirStage } from "./weir-stage.ts";

const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
for (const stage of stages) new WeirStage(app, stage);
app.synth();
