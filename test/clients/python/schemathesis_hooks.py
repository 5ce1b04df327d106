"""What schemathesis cannot guess: which models are there, and which values go together.

Most made-up names become names of models, or all that is ever seen of a path is its 404. And every other valid body is cut down to what a task
needs, or all that is ever answered is the refusal of some field: so the answers of status 200 are held against their schemas, too.
"""

import schemathesis

MODELS = {
    "/v1/embeddings": ["embed", "minilm"],
    "/v1/rerank": ["rerank", "embed"],
    "/v1/chat/": ["smollm2"],
    "/v1/": ["gpt2"],
    "/hf/{model}/v1/chat": ["smollm2"],
    "/hf/{model}/v1/": ["gpt2"],
    "/hf/{model}/pipeline/": ["minilm", "embed"],
    "/hf/": ["embed", "sentiment", "ner", "nli", "rtd", "gpt2"],
    "/v2/models/{model}/generate": ["gpt2"],
    "/v2/models/{model}/versions/{version}/generate": ["gpt2"],
    "/": ["embed", "sentiment", "ner"],
}
NEEDED = ("model", "input", "inputs", "query", "documents", "messages", "prompt", "text_input", "stream")
TEXT = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a weir stands across a river"]}
TASKS = ["feature-extraction", "keyword-extraction", "extractive-summarization"]
TOKENS = 4
ENOUGH_US = 10_000_000


def drawn(value):
    """The same number for the same value, in every run."""
    return sum(repr(value).encode("utf-8", "surrogatepass"))


def there(path, made_up):
    names = next(names for start, names in MODELS.items() if path.startswith(start))
    number = drawn(made_up)
    return made_up if number % 4 == 3 else names[number % len(names)]


def cut_down(path, body):
    if path.endswith("/infer"):
        return {"inputs": [TEXT]}
    if path.startswith("/hf/") and "/v1/" not in path:
        return {"inputs": TEXT["data"] if drawn(body) % 4 == 0 else TEXT["data"][0]}
    needed = {name: value for name, value in body.items() if name in NEEDED}
    if path == "/v1/embeddings":
        needed["input"] = TEXT["data"]
    if "/generate" in path:
        needed["parameters"] = {"max_tokens": TOKENS}
    return needed


def limited(body):
    """A chat that may go on until the model is full is answered 504 on a slow machine, and rightly."""
    names = [name for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    large = {name: TOKENS for name in names if isinstance(body[name], int) and body[name] > TOKENS}
    return {**body, **large} if names else {**body, "max_tokens": TOKENS}


def unhurried(body):
    """Who gives a model microseconds is answered 504, and rightly."""
    parameters = body.get("parameters")
    if not isinstance(parameters, dict) or not isinstance(parameters.get("timeout"), int) or not 0 < parameters["timeout"] < ENOUGH_US:
        return body
    return {**body, "parameters": {**parameters, "timeout": ENOUGH_US}}


@schemathesis.hook
def before_call(context, case, kwargs):
    path, places = case.operation.path, case.path_parameters or {}
    for name in ("model", "name"):
        if isinstance(places.get(name), str):
            places[name] = there(path, places[name])
    if isinstance(places.get("version"), str) and drawn(places["version"]) % 4 != 3:
        places["version"] = "1"
    if isinstance(places.get("task"), str) and drawn(places["task"]) % 4 != 3:
        places["task"] = TASKS[drawn(places["task"]) % len(TASKS)]
    if case.method != "GET" and path.startswith("/admin/tenants/"):
        places["id"] = "fuzzed"  # else it would close, or slow down, the tenant that asks
    if not path.startswith("/admin/") and isinstance(case.body, dict):
        if case.meta.generation.mode.is_positive and drawn(case.body) % 2 == 0:
            case.body = cut_down(path, case.body)
        if "completions" in path:
            case.body = limited(case.body)
        if path.startswith("/v2/"):
            case.body = unhurried(case.body)
        if isinstance(case.body.get("model"), str):
            case.body["model"] = there(path, case.body["model"])
