"""Calls a running gateway as tritonclient does, and prints `ok <name>` for each thing that holds.

WEIR_URL, WEIR_KEY: the gateway and a key that may infer.
WEIR_EMBED, WEIR_CLASSIFY: models by name (absent: minilm, sentiment). The second one's bare graph is asked, too.
WEIR_GENERATE: a model that continues texts (absent: not asked).
"""

import asyncio
import json
import os
import struct
import urllib.error
import urllib.request

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as aio
from tritonclient.utils import InferenceServerException

URL = os.environ["WEIR_URL"].rstrip("/")
KEY = os.environ["WEIR_KEY"]
EMBED = os.environ.get("WEIR_EMBED", "minilm")
CLASSIFY = os.environ.get("WEIR_CLASSIFY", "sentiment")
GENERATE = os.environ.get("WEIR_GENERATE", "")
HEADERS = {"authorization": f"Bearer {KEY}"}
TEXTS = ["a weir holds water back", "ein Wehr staut das Wasser 🌊"]

client = triton.InferenceServerClient(URL.split("://", 1)[1], ssl=URL.startswith("https"))


def ok(name):
    print("ok", name, flush=True)


def headers():
    return dict(HEADERS)  # the client writes into what it is given


def texts(name="text", values=TEXTS, binary=True):
    tensor = triton.InferInput(name, [len(values)], "BYTES")
    tensor.set_data_from_numpy(np.array([value.encode() for value in values], dtype=np.object_), binary_data=binary)
    return tensor


def refused(call, *words):
    try:
        call()
    except InferenceServerException as failure:
        assert all(word in failure.message() for word in words), failure
        return failure
    raise AssertionError(f"was not refused: {words}")


def post(path, body, more=None):
    request = urllib.request.Request(URL + path, data=body, headers={**HEADERS, **(more or {})}, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers, answer.read()


def health():
    assert client.is_server_live(headers=headers())
    assert client.is_server_ready(headers=headers())
    assert client.is_model_ready(EMBED, headers=headers())
    assert client.is_model_ready(EMBED, "1", headers=headers())
    assert not client.is_model_ready("no-such-model", headers=headers())
    assert not client.is_model_ready("org/name", headers=headers())


def descriptions():
    assert "binary_tensor_data" in client.get_server_metadata(headers=headers())["extensions"]
    metadata = client.get_model_metadata(EMBED, headers=headers())
    assert metadata["name"] == EMBED and metadata["inputs"][0] == {"name": "text", "datatype": "BYTES", "shape": [-1]}, metadata
    config = client.get_model_config(EMBED, "1", headers=headers())
    assert config["max_batch_size"] > 0 and config["input"][0]["data_type"] == "TYPE_STRING", config


def repository():
    index = client.get_model_repository_index(headers=headers())
    assert any(entry["name"] == EMBED and entry["state"] == "READY" for entry in index), index
    client.load_model(EMBED, headers=headers())
    refused(lambda: client.load_model(EMBED, headers=headers(), config="{}"), "never changes")
    refused(lambda: client.unload_model(EMBED, headers=headers()), "cannot be unloaded")
    refused(lambda: client.load_model("no-such-model", headers=headers()), "does not exist")


def inference():
    binary = client.infer(EMBED, [texts()], headers=headers(), request_id="mine")
    vectors = binary.as_numpy("embedding")
    assert vectors.dtype == np.float32 and vectors.shape[0] == len(TEXTS), vectors
    assert binary.get_response()["id"] == "mine"
    plain = triton.InferRequestedOutput("embedding", binary_data=False)
    as_json = client.infer(EMBED, [texts(binary=False)], outputs=[plain], headers=headers())
    assert np.array_equal(as_json.as_numpy("embedding"), vectors)
    pinned = client.infer(EMBED, [texts()], model_version="1", headers=headers())
    assert pinned.get_response()["model_version"] == "1"
    later = client.async_infer(EMBED, [texts()], headers=headers())
    assert later.get_result().as_numpy("embedding").shape == vectors.shape
    raw = client.infer(EMBED, [texts()], headers=headers(), parameters={"normalize": False, "truncate": True})
    assert raw.as_numpy("embedding").shape == vectors.shape


def compression():
    many = texts(values=[f"text number {index}" for index in range(64)])
    expected = client.infer(EMBED, [many], headers=headers()).as_numpy("embedding")
    for coding in ("gzip", "deflate"):
        answer = client.infer(
            EMBED, [many], headers=headers(), request_compression_algorithm=coding, response_compression_algorithm=coding
        )
        assert np.array_equal(answer.as_numpy("embedding"), expected), coding


def asynchronous():
    async def ask():
        async with aio.InferenceServerClient(URL.split("://", 1)[1], ssl=URL.startswith("https")) as asking:
            many = texts(values=[f"text number {index}" for index in range(64)])
            return (await asking.infer(EMBED, [many], headers=headers())).as_numpy("embedding")

    assert asyncio.run(ask()).shape[0] == 64  # aiohttp accepts gzip by itself


def classification():
    wanted = [triton.InferRequestedOutput("scores", class_count=2), triton.InferRequestedOutput("label")]
    answer = client.infer(CLASSIFY, [texts()], outputs=wanted, headers=headers())
    classes, labels = answer.as_numpy("scores"), answer.as_numpy("label")
    assert classes.shape == (len(TEXTS), 2), classes
    for row, label in zip(classes, labels):
        value, index, name = row[0].decode().split(":", 2)
        assert 0 <= float(value) <= 1 and int(index) >= 0 and name == label.decode(), row


def bare_graph():
    metadata = client.get_model_metadata(CLASSIFY, headers=headers())
    names = [each["name"] for each in metadata["inputs"] if each["datatype"] == "INT64"]
    assert "input_ids" in names, metadata
    tensors = []
    for name in names:
        tensor = triton.InferInput(name, [1, 4], "INT64")
        fill = np.zeros((1, 4), np.int64) if name == "token_type_ids" else np.ones((1, 4), np.int64)
        tensors.append(tensor.set_data_from_numpy(fill))
    logits = client.infer(CLASSIFY, tensors, headers=headers()).as_numpy("logits")
    assert logits.dtype == np.float32 and logits.shape[0] == 1, logits
    refused(lambda: client.infer(CLASSIFY, tensors + [texts()], headers=headers()), "mixes texts")
    wrong = triton.InferInput("input_ids", [1, 4], "INT32").set_data_from_numpy(np.ones((1, 4), np.int32))
    refused(lambda: client.infer(CLASSIFY, [wrong] + tensors[1:], headers=headers()), "INT64")


def refusals():
    assert refused(lambda: client.infer("no-such-model", [texts()], headers=headers()), "does not exist").status() == "404"
    refused(lambda: client.infer(EMBED, [texts("txt")], headers=headers()), "must be one of text")
    strange = triton.InferRequestedOutput("no_such_output")
    refused(lambda: client.infer(EMBED, [texts()], outputs=[strange], headers=headers()), "outputs.0.name")
    refused(lambda: client.infer(EMBED, [texts(values=[""])], headers=headers()), "empty")
    shared = triton.InferInput("text", [1], "BYTES")
    shared.set_shared_memory("region", 8)
    refused(lambda: client.infer(EMBED, [shared], headers=headers()), "Shared memory")


def statistics():
    before = client.get_inference_statistics(EMBED, "1", headers=headers())["model_stats"][0]
    client.infer(EMBED, [texts()], model_version="1", headers=headers())
    after = client.get_inference_statistics(EMBED, "1", headers=headers())["model_stats"][0]
    assert after["inference_count"] >= before["inference_count"] + len(TEXTS), (before, after)
    for name, measure in (("success", "count"), ("compute_infer", "ns")):
        assert after["inference_stats"][name][measure] > before["inference_stats"][name][measure], (before, after)
    assert any(each["name"] == EMBED for each in client.get_inference_statistics(headers=headers())["model_stats"])


def raw_body():
    heads, body = post(f"/v2/models/{EMBED}/infer", TEXTS[0].encode(), {"Inference-Header-Content-Length": "0"})
    size = int(heads["Inference-Header-Content-Length"])
    output = json.loads(body[:size])["outputs"][0]
    vector = np.frombuffer(body[size:], np.float32)
    assert list(output["shape"]) == [1, vector.size], output
    expected = client.infer(EMBED, [texts(values=TEXTS[:1])], headers=headers()).as_numpy("embedding")
    assert np.allclose(vector, expected[0], atol=1e-5)
    lying = struct.pack("<I", 9) + b"x"
    try:
        post(f"/v2/models/{EMBED}/infer", lying, {"Inference-Header-Content-Length": "4000"})
    except urllib.error.HTTPError as failure:
        assert failure.code == 400 and "error" in json.loads(failure.read())
    else:
        raise AssertionError("a header length that lies was accepted")


def generation():
    asked = json.dumps({"text_input": "Once upon a time", "parameters": {"max_tokens": 5, "temperature": 0}}).encode()
    whole = json.loads(post(f"/v2/models/{GENERATE}/generate", asked)[1])
    assert whole["model_name"] and whole["text_output"], whole
    heads, stream = post(f"/v2/models/{GENERATE}/generate_stream", asked)
    assert heads["Content-Type"].startswith("text/event-stream"), heads
    events = [json.loads(line[len("data: "):]) for line in stream.decode().splitlines() if line.startswith("data: ")]
    assert "".join(event["text_output"] for event in events) == whole["text_output"], events
    assert events[-1]["details"]["finish_reason"] in ("length", "eos_token", "stop_sequence"), events[-1]


checks = [health, descriptions, repository, inference, compression, asynchronous, classification, bare_graph, refusals, statistics, raw_body]
for check in checks + ([generation] if GENERATE else []):
    check()
    ok(f"tritonclient {check.__name__}")
client.close()
