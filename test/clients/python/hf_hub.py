"""huggingface_hub's InferenceClient against a running gateway, for every task, and prints `ok <name>` or `failed <name>` for each.

URL, KEY: the gateway and a key that may infer. FIXTURES: the folder of the fixture models, with PyTorch's answers.
The models embed, sentiment, ner, qa, mlm, nli, gpt2 (fixtures) and minilm, smollm2 are there by these names.
"""

import json
import os
import sys
import traceback
from pathlib import Path

import numpy as np
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

URL, KEY = os.environ["URL"].rstrip("/"), os.environ["KEY"]
FIXTURES = Path(os.environ["FIXTURES"])
DELTA_MAX = 1e-4


def expected(fixture, name="expected.json"):
    return json.loads((FIXTURES / fixture / name).read_text())["cases"]


def client(path):
    return InferenceClient(model=f"{URL}/hf/{path}", token=KEY, timeout=120)


def close(seen, wanted):
    assert abs(seen - wanted) <= DELTA_MAX, (seen, wanted)


def alike(seen, wanted, *names):
    """The same list in the same order: what is named exactly, scores within the delta."""
    assert len(seen) == len(wanted), (seen, wanted)
    for one, other in zip(seen, wanted):
        assert all(one[name] == other[name] for name in names), (one, other)
        close(one["score"], other["score"])


def feature_extraction():
    cases = [case for case in expected("tiny-bert-embed") if case["text"].strip()]
    for case in cases:
        vector = client("embed").feature_extraction(case["text"])
        assert np.abs(np.array(vector).reshape(-1) - np.array(case["embedding"])).max() <= DELTA_MAX, case["text"]
    many = client("embed").feature_extraction([case["text"] for case in cases], normalize=True, truncate=True)
    assert np.abs(many - np.array([case["embedding"] for case in cases])).max() <= DELTA_MAX


def sentence_similarity():
    first, second, third = [case for case in expected("tiny-bert-embed") if case["text"].strip()][:3]
    cosines = client("embed").sentence_similarity(first["text"], [second["text"], third["text"]])
    for cosine, other in zip(cosines, (second, third), strict=True):
        close(cosine, float(np.dot(first["embedding"], other["embedding"])))


def text_classification():
    for case in expected("tiny-bert-sentiment"):
        if case["text"].strip() and "text_pair" not in case:
            seen = client("sentiment").text_classification(case["text"])
            alike(seen, sorted(case["scores"], key=lambda score: -score["score"]), "label")
    assert len(client("sentiment").text_classification("a weir", top_k=1, function_to_apply="softmax")) == 1


def token_classification():
    for case in expected("tiny-bert-ner"):
        if case["text"].strip():
            alike(client("ner").token_classification(case["text"]), case["simple"], "entity_group", "word", "start", "end")
            for strategy in ("first", "average", "max"):
                seen = client("ner").token_classification(case["text"], aggregation_strategy=strategy)
                alike(seen, case[strategy], "entity_group", "word", "start", "end")
            seen = client("ner").token_classification(case["text"], aggregation_strategy="none")
            alike(seen, case["none"], "entity", "word", "start", "end", "index")


def question_answering():
    for case in expected("tiny-bert-qa"):
        best = client("qa").question_answering(question=case["question"], context=case["context"])
        alike(best, case["top"][:1], "answer", "start", "end")  # a list, which the client reads as well as a single answer
        seen = client("qa").question_answering(question=case["question"], context=case["context"], top_k=len(case["top"]))
        alike(seen, case["top"], "answer", "start", "end")


def fill_mask():
    for case in expected("tiny-roberta-mlm"):
        if isinstance(case["result"][0], dict):  # the client reads the answer for one mask
            options = {name: case[name] for name in ("top_k", "targets") if name in case}
            alike(client("mlm").fill_mask(case["text"], **options), case["result"], "token", "token_str", "sequence")


def zero_shot_classification():
    for case in expected("tiny-roberta-nli", "expected.zero-shot.json"):
        if case["text"].strip():
            options = {name: case[name] for name in ("multi_label", "hypothesis_template") if name in case}
            seen = client("nli").zero_shot_classification(case["text"], case["candidate_labels"], **options)
            wanted = [{"label": label, "score": score} for label, score in zip(case["labels"], case["scores"])]
            alike(seen, wanted, "label")
    seen = client("minilm").zero_shot_classification("The river is high after the rain.", ["weather", "money"])
    assert seen[0].label == "weather", seen


def summarization():
    text = "A weir stands across a river. It holds the water back. Cats sleep all day. The weir splits the river between two mills."
    summary = client("minilm/pipeline/extractive-summarization").summarization(text).summary_text
    assert 0 < len(summary) < len(text) and "weir" in summary, summary


def text_generation():
    asking = client("gpt2")
    for case in expected("tiny-gpt2"):
        tokens = len(case["greedy_ids"])
        details = asking.text_generation(case["prompt"], max_new_tokens=tokens, details=True)
        ids = [token.id for token in details.details.tokens]
        assert ids == case["greedy_ids"][: len(ids)] and len(ids) >= tokens - 1, (ids, case["greedy_ids"])
        for token, logprob in zip(details.details.tokens, case["greedy_logprobs"]):
            close(token.logprob, logprob)
        assert asking.text_generation(case["prompt"], max_new_tokens=tokens) == details.generated_text
        pieces = list(asking.text_generation(case["prompt"], max_new_tokens=tokens, stream=True))
        assert "".join(pieces) == details.generated_text and len(pieces) > 1, pieces
    events = list(asking.text_generation("Paris is", max_new_tokens=4, stream=True, details=True))
    assert events[-1].generated_text == "".join(event.token.text for event in events), events
    assert events[-1].details.finish_reason == "length" and events[-1].details.generated_tokens == 4, events
    drawn = [asking.text_generation("Paris is", max_new_tokens=6, do_sample=True, temperature=0.9, seed=7) for _ in range(2)]
    assert drawn[0] == drawn[1], drawn
    assert asking.text_generation("Paris is", max_new_tokens=4, return_full_text=True).startswith("Paris is")


def chat_completion():
    question = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
    for asking in (client("smollm2"), InferenceClient(base_url=f"{URL}/v1", api_key=KEY)):
        options = {"model": "smollm2"} if asking.model is None or not asking.model.endswith("/hf/smollm2") else {}
        whole = asking.chat_completion(question, max_tokens=24, temperature=0, **options)
        assert "Paris" in whole.choices[0].message.content, whole
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens, whole
        pieces = asking.chat_completion(question, max_tokens=24, temperature=0, stream=True, **options)
        text = "".join(choice.delta.content or "" for piece in pieces for choice in piece.choices)
        assert text == whole.choices[0].message.content, text


def refusals():
    for path, status, words in (("no-such-model", 404, "does not exist"), ("sentiment/pipeline/fill-mask", 400, "sentiment")):
        try:
            client(path).fill_mask("a [MASK]")
        except HfHubHTTPError as failure:
            assert failure.response.status_code == status and words in failure.response.text, failure.response.text
        else:
            raise AssertionError(f"{path} was not refused")


failed = False
for check in (
    feature_extraction,
    sentence_similarity,
    text_classification,
    token_classification,
    question_answering,
    fill_mask,
    zero_shot_classification,
    summarization,
    text_generation,
    chat_completion,
    refusals,
):
    try:
        check()
        print("ok huggingface_hub", check.__name__, flush=True)
    except Exception:
        failed = True
        print("failed huggingface_hub", check.__name__, traceback.format_exc(), flush=True)
sys.exit(1 if failed else 0)
