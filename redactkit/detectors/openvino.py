"""One ONNX network on OpenVINO, compiled once for every input size and run on many images at a time."""

from __future__ import annotations

import importlib
import sys
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from redactkit.errors import DetectorError

__all__ = ["Image", "Network", "Outputs", "import_openvino"]

Image = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]
Result = TypeVar("Result")
Reader = Callable[[Outputs, tuple[int, int]], Result]

STRIDE = 32
SIZES_KEPT = 6
LARGE = 512 * 1024
"""Pixels from which one picture keeps all cores busy; several at once would only take more memory."""

TELEMETRY = "openvino_telemetry"


def import_openvino() -> Any:
    """Import OpenVINO with its telemetry out of reach.

    By itself ``import openvino`` tells a server about every import and writes an identifier to the
    home directory. It goes without where the package for that cannot be imported, so for the length of
    the import this one cannot be.
    """
    if TELEMETRY in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[TELEMETRY]


ov = import_openvino()


@dataclass
class _Compiled:
    """A network compiled for one input size, with the requests that run it."""

    size: tuple[int, int]
    requests: list[Any]
    names: list[list[str]]


class Network:
    """An ONNX face network that takes images of any size.

    Images are padded at the right and bottom to multiples of 32 and go in as they are, 8 bits and
    interleaved; the network does the rest of the preparation itself. Results do not depend on the
    number of threads.

    Parameters
    ----------
    model : bytes
        The ONNX file.
    name : str
        What error messages call it.
    device : str
        An OpenVINO device.
    threads : int, optional
        Threads to use, by default all.
    precision : {"bf16", "f32"}, optional
        By default the fastest the device has.
    reverse_channels : bool
        Whether the network wants BGR. Images are RGB everywhere.

    Raises
    ------
    DetectorError
        If the model cannot be read or the device is not there.
    """

    def __init__(
        self,
        model: bytes,
        *,
        name: str,
        device: str = "CPU",
        threads: int | None = None,
        precision: str | None = None,
        reverse_channels: bool = False,
    ) -> None:
        self.name = name
        self.device = device
        self._config = _configuration(threads, precision)
        self._reverse = reverse_channels
        self._core = ov.Core()
        self._compiled: OrderedDict[tuple[int, int], _Compiled] = OrderedDict()
        self._lock = threading.RLock()
        try:
            self._model = self._core.read_model(model)
        except RuntimeError as err:
            raise DetectorError(f"the model of {name} is not a readable ONNX file: {_first_line(err)}") from err

    def run(self, images: Sequence[Image], read: Reader[Result]) -> list[Result]:
        """Run the network on every image and return what ``read`` makes of each image's outputs.

        Parameters
        ----------
        images : sequence of uint8 ndarray of shape (H, W, 3)
            RGB. Sizes may differ; images of one size in a row are quickest.
        read : callable
            Takes the outputs by name and the height and width of the network's input. The outputs are
            overwritten afterwards, so it must copy what it keeps.

        Raises
        ------
        DetectorError
            If an image is not an RGB image or the device fails.
        """
        for number, image in enumerate(images):
            _check_image(image, number)
        with self._lock:
            try:
                return list(self._results(images, read))
            except DetectorError:
                raise
            except RuntimeError as err:
                raise DetectorError(f"{self.name} failed on {self.device}: {_first_line(err)}") from err

    def release(self) -> None:
        """Forget the compiled sizes, which hold memory; they are compiled again when needed."""
        with self._lock:
            self._compiled.clear()

    def _results(self, images: Sequence[Image], read: Reader[Result]) -> Iterator[Result]:
        running: deque[tuple[_Compiled, Any]] = deque()
        used: Counter[tuple[int, int]] = Counter()
        try:
            for image in images:
                compiled = self._for_size(_padded_size(image))
                request = compiled.requests[used[compiled.size] % len(compiled.requests)]
                used[compiled.size] += 1
                while any(request is other for _, other in running):
                    yield _finish(*running.popleft(), read)
                _fill(request.get_input_tensor().data[0], image)
                request.start_async()
                running.append((compiled, request))
            while running:
                yield _finish(*running.popleft(), read)
        finally:
            for _, request in running:
                request.wait()

    def _for_size(self, size: tuple[int, int]) -> _Compiled:
        if size not in self._compiled:
            self._compiled[size] = self._compile(size)
        self._compiled.move_to_end(size)
        while len(self._compiled) > SIZES_KEPT:
            self._compiled.popitem(last=False)
        return self._compiled[size]

    def _compile(self, size: tuple[int, int]) -> _Compiled:
        model = self._model.clone()
        model.reshape({0: [1, 3, *size]})
        steps = ov.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
        if self._reverse:
            steps.input().preprocess().reverse_channels()
        # Small pictures go one to a core: threads that share one wait for each other, and other workers wait for them.
        config = self._config if size[0] * size[1] < LARGE else {**self._config, "NUM_STREAMS": 1}
        compiled = self._core.compile_model(steps.build(), self.device, config)
        count = 2 * int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        names = [sorted(output.get_names()) for output in compiled.outputs]
        return _Compiled(size, [compiled.create_infer_request() for _ in range(count)], names)


def _configuration(threads: int | None, precision: str | None) -> dict[str, Any]:
    config: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
    if threads is not None:
        config["INFERENCE_NUM_THREADS"] = threads
    if precision is not None:
        config["INFERENCE_PRECISION_HINT"] = precision
    return config


def _check_image(image: Image, number: int) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise DetectorError(
            f"image {number} must be uint8 of shape (H, W, 3), RGB, got {image.dtype} of shape {image.shape}"
        )


def _padded_size(image: Image) -> tuple[int, int]:
    height, width = image.shape[:2]
    return height + -height % STRIDE, width + -width % STRIDE


def _fill(tensor: Image, image: Image) -> None:
    height, width = image.shape[:2]
    tensor[:height, :width] = image
    tensor[height:] = 0
    tensor[:height, width:] = 0


def _finish(compiled: _Compiled, request: Any, read: Reader[Result]) -> Result:
    request.wait()
    outputs = {name: request.get_output_tensor(k).data for k, names in enumerate(compiled.names) for name in names}
    return read(outputs, compiled.size)


def _first_line(err: Exception) -> str:
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return lines[-1] if lines else type(err).__name__
