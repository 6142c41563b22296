"""The first layers of a network in stripes: the same numbers, from networks of any shape."""

import cv2
import numpy as np
import pytest

from redactkit.detectors import openvino
from redactkit.detectors.centerface import bundled_weights
from redactkit.detectors.openvino import Network
from redactkit.detectors.runtime import ov
from redactkit.detectors.stripes import run_in_stripes

op = ov.opset8
SIZE = (768, 1024)


@pytest.fixture
def weights():
    """Return what makes weights of a shape, the same in every run."""
    chance = np.random.default_rng(3)
    return lambda *shape: op.constant(chance.normal(0, 0.2, shape).astype(np.float32))


def _convolved(value, weights, *, channels, to, stride=1, padding=(1, 1)):
    made = op.convolution(value, weights(to, channels, 3, 3), [stride] * 2, padding[:1] * 2, padding[1:] * 2, [1, 1])
    return op.relu(op.add(made, weights(1, to, 1, 1)))


def _model(source, result):
    result.output(0).set_names({"out"})
    return ov.Model([op.result(result)], [source], "net")


def _run(model, picture):
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    request.infer({0: picture})
    return np.array(request.get_tensor("out").data)


def _kinds(model):
    return [node.get_type_name() for node in model.get_ordered_ops()]


def _picture(height, width):
    coarse = np.random.default_rng(height).integers(0, 255, (height // 16, width // 16, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 736), (736, 1280), (1504, 992), (1024, 544)])
def test_centerface_gives_the_same_numbers_in_stripes(monkeypatch, width, height):
    def run():
        read = lambda outputs, _: {name: data.copy() for name, data in outputs.items()}  # noqa: E731
        (found,) = Network(bundled_weights(), name="centerface").run([_picture(height, width)], read)
        return found

    striped = run()
    monkeypatch.setattr(openvino, "run_in_stripes", lambda model: None)
    whole = run()
    assert striped.keys() == whole.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(striped[name], values)


def test_centerface_is_split_where_all_of_it_passes():
    model = ov.Core().read_model(bundled_weights())
    model.reshape({0: [1, 3, 736, 1280]})
    before = _kinds(model).count("GroupConvolution")
    run_in_stripes(model)
    assert _kinds(model).count("GroupConvolution") == before + 3 * 3  # three of them, four times each


@pytest.mark.parametrize("padding", [(1, 1), (0, 1), (0, 0), (2, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_layers_with_any_stride_and_padding_give_the_same_numbers(weights, stride, padding):
    source = op.parameter([1, 3, *SIZE], np.float32)
    first = _convolved(source, weights, channels=3, to=4, stride=stride, padding=padding)
    aside = _convolved(_convolved(first, weights, channels=4, to=4), weights, channels=4, to=4)
    last = _convolved(op.add(first, aside), weights, channels=4, to=2, padding=padding)
    model = _model(source, op.sigmoid(last))
    whole = model.clone()
    run_in_stripes(model)
    assert _kinds(model).count("Concat") == 1
    picture = np.random.default_rng(0).normal(size=(1, 3, *SIZE)).astype(np.float32)
    np.testing.assert_allclose(_run(model, picture), _run(whole, picture), atol=1e-6)


def test_output_made_of_stripes_keeps_its_name(weights):
    source = op.parameter([1, 3, *SIZE], np.float32)
    model = _model(source, _convolved(source, weights, channels=3, to=2))
    run_in_stripes(model)
    assert "Concat" in _kinds(model)
    assert model.output("out").shape == ov.Shape([1, 2, *SIZE])


def test_small_pictures_and_unknown_layers_are_left_as_they_are(weights):
    small = op.parameter([1, 3, 64, 64], np.float32)
    bent = op.parameter([1, 3, *SIZE], np.float32)
    shared = op.parameter([1, 3, *SIZE], np.float32)
    models = [
        _model(small, _convolved(small, weights, channels=3, to=2)),
        _model(bent, _convolved(op.sigmoid(bent), weights, channels=3, to=2)),
        _model(shared, op.add(op.sigmoid(shared), _convolved(shared, weights, channels=3, to=3))),
    ]
    for model in models:
        before = _kinds(model)
        run_in_stripes(model)
        assert sorted(_kinds(model)) == sorted(before)
