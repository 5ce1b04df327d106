"""The official OpenAI client against a running gateway: URL, KEY, GENERATE_MODEL and EMBED_MODEL say which. Prints `ok <name>` lines; any failure ends it."""

import os

from openai import BadRequestError, NotFoundError, OpenAI

client = OpenAI(base_url=f"{os.environ['URL']}/v1", api_key=os.environ["KEY"], max_retries=0)
model, embedder = os.environ["GENERATE_MODEL"], os.environ["EMBED_MODEL"]
messages = [{"role": "user", "content": "What does a weir do?"}]


def ok(name):
    print(f"ok {name}", flush=True)


listed = {each.id for each in client.models.list()}
assert {model, embedder} <= listed, listed
ok("models")

vectors = client.embeddings.create(model=embedder, input=["a weir", "a river runs"])
floats = client.embeddings.create(model=embedder, input=["a weir"], encoding_format="float")
assert len(vectors.data) == 2 and vectors.usage.prompt_tokens > 0
assert all(abs(a - b) < 1e-5 for a, b in zip(vectors.data[0].embedding, floats.data[0].embedding))
ok("embeddings")

chat = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=4, logprobs=True, top_logprobs=2)
assert chat.object == "chat.completion" and chat.id.startswith("chatcmpl-"), chat
assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens
assert chat.choices[0].finish_reason in ("stop", "length") and len(chat.choices[0].logprobs.content[0].top_logprobs) == 2
ok("chat")

pieces, usage = [], None
for chunk in client.chat.completions.create(
    model=model, messages=messages, temperature=0, max_tokens=4, stream=True, stream_options={"include_usage": True}
):
    usage = chunk.usage or usage
    pieces += [choice.delta.content or "" for choice in chunk.choices]
assert "".join(pieces) == chat.choices[0].message.content, pieces
assert usage == chat.usage, usage
ok("chat streamed")

completion = client.completions.create(model=model, prompt=["a weir", "a river"], n=2, max_tokens=3, seed=7, logprobs=1)
assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
assert len(completion.choices[0].logprobs.tokens) == len(completion.choices[0].logprobs.token_logprobs)
ok("completions")

texts = ["", ""]
for chunk in client.completions.create(model=model, prompt="a weir", n=2, max_tokens=3, seed=7, stream=True):
    for choice in chunk.choices:
        texts[choice.index] += choice.text
assert texts == [choice.text for choice in client.completions.create(model=model, prompt="a weir", n=2, max_tokens=3, seed=7).choices], texts
ok("completions streamed")

with client.chat.completions.create(model=model, messages=messages, stream=True) as stream:
    next(iter(stream))
ok("left in the middle")

for refusal, kwargs in [("temperature", {"temperature": 3}), ("max_tokens", {"max_tokens": 0}), ("n", {"n": 0})]:
    try:
        client.chat.completions.create(model=model, messages=messages, **kwargs)
        raise SystemExit(f"{refusal} was not refused")
    except BadRequestError as error:
        assert error.param == refusal, error
try:
    client.chat.completions.create(model="nothing-of-that-name", messages=messages)
    raise SystemExit("an unknown model was not refused")
except NotFoundError as error:
    assert error.code == "model_not_found", error
ok("refusals")
