"""Calls a running gateway as kserve's InferenceRESTClient does, and prints `ok <name>` for each thing that holds.

WEIR_URL, WEIR_KEY: the gateway and a key that may infer.
WEIR_EMBED, WEIR_CLASSIFY: models by name (absent: minilm, sentiment).
"""

import asyncio
import os

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

URL = os.environ["WEIR_URL"].rstrip("/")
HEADERS = {"authorization": f"Bearer {os.environ['WEIR_KEY']}"}
EMBED = os.environ.get("WEIR_EMBED", "minilm")
CLASSIFY = os.environ.get("WEIR_CLASSIFY", "sentiment")
TEXTS = ["a weir holds water back", "ein Wehr staut das Wasser 🌊"]

client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0, timeout=60))


def ok(name):
    print("ok", name, flush=True)


def request(model, binary, values=TEXTS, outputs=None, parameters=None):
    tensor = InferInput("text", [len(values)], "BYTES")
    tensor.set_data_from_numpy(np.array([value.encode() for value in values], dtype=np.object_), binary_data=binary)
    return InferRequest(model, [tensor], request_id="mine", parameters=parameters, request_outputs=outputs)


async def infer(asked, model):
    return await client.infer(URL, asked, model_name=model, headers=dict(HEADERS))


async def health():
    assert await client.is_server_live(URL, headers=HEADERS)
    assert await client.is_server_ready(URL, headers=HEADERS)
    assert await client.is_model_ready(URL, EMBED, headers=HEADERS)
    assert not await client.is_model_ready(URL, "no-such-model", headers=HEADERS)


async def inference():
    plain = await infer(request(EMBED, binary=False), EMBED)
    assert plain.id == "mine" and plain.model_name == EMBED, plain
    vectors = plain.outputs[0].as_numpy()
    assert vectors.dtype == np.float32 and vectors.shape[0] == len(TEXTS), vectors
    binary = await infer(request(EMBED, binary=True, parameters={"binary_data_output": True}), EMBED)
    assert np.array_equal(binary.outputs[0].as_numpy(), vectors)
    many = [f"text number {index}" for index in range(64)]  # large enough to be compressed, which httpx accepts by itself
    large = await infer(request(EMBED, binary=True, values=many, parameters={"binary_data_output": True}), EMBED)
    assert large.outputs[0].as_numpy().shape == (64, vectors.shape[1])


async def outputs():
    label = RequestedOutput("label", {"binary_data": True})
    answer = await infer(request(CLASSIFY, binary=True, outputs=[label]), CLASSIFY)
    assert [output.name for output in answer.outputs] == ["label"], answer
    assert answer.outputs[0].as_numpy().shape == (len(TEXTS),), answer


async def dictionaries():
    body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": TEXTS[:1]}]}
    answer = await infer(body, CLASSIFY)
    scores = answer.outputs[0].as_numpy()
    assert answer.outputs[0].name == "scores" and abs(float(scores.sum()) - 1) < 1e-3, scores


async def refusals():
    for asked, model, status, words in (
        (request(EMBED, binary=True), "no-such-model", 404, "does not exist"),
        (request(EMBED, binary=False, values=[""]), EMBED, 400, "empty"),
        (request(EMBED, binary=True, parameters={"no_such_parameter": 1}), EMBED, 400, "no_such_parameter"),
    ):
        try:
            await infer(asked, model)
        except httpx.HTTPStatusError as failure:
            assert failure.response.status_code == status and words in failure.response.json()["error"], failure
        else:
            raise AssertionError(f"was not refused: {words}")


async def main():
    for check in (health, inference, outputs, dictionaries, refusals):
        await check()
        ok(f"kserve {check.__name__}")
    await client.close()


asyncio.run(main())
