"""Gives schemathesis the names of models that are there, or all that it would ever see of most paths is their 404. One name in four stays made up."""

import schemathesis

MODELS = {
    "/v1/embeddings": ["embed", "minilm"],
    "/v1/rerank": ["rerank", "embed"],
    "/v1/": ["gpt2"],
    "/hf/{model}/v1/": ["gpt2"],
    "/hf/": ["embed", "sentiment", "ner", "qa", "mlm", "nli", "rtd", "gpt2"],
    "/v2/models/{model}/generate": ["gpt2"],
    "/v2/models/{model}/versions/{version}/generate": ["gpt2"],
    "/": ["embed", "sentiment", "ner"],
}


def there(path, made_up):
    names = next(names for start, names in MODELS.items() if path.startswith(start))
    drawn = sum(made_up.encode("utf-8", "surrogatepass"))
    return made_up if drawn % 4 == 3 else names[drawn % len(names)]


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path
    for name in ("model", "name"):
        if isinstance((case.path_parameters or {}).get(name), str):
            case.path_parameters[name] = there(path, case.path_parameters[name])
    if case.method != "GET" and path.startswith("/admin/tenants/"):
        case.path_parameters["id"] = "fuzzed"  # else it would close, or slow down, the tenant that asks
    if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
        case.body["model"] = there(path, case.body["model"])
