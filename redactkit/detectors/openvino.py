"""Run one ONNX network on OpenVINO: images of any size, several in parallel, calls from several threads."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from redactkit.detectors.runtime import compile_model, ov
from redactkit.detectors.stripes import run_in_stripes
from redactkit.errors import DetectorError
from redactkit.runtime.cores import count_cores

__all__ = ["Image", "Network", "Outputs"]

Image = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]
Result = TypeVar("Result")
Size = tuple[int, int]
Reader = Callable[[Outputs, Size], Result]

NETWORK_STRIDE_PIXELS = 32
"""Images are padded to multiples of this: the coarsest stride of both networks."""

LARGE_IMAGE_PIXELS = 192 * 1024
"""Pixels from which a size is compiled for itself. Lower compiles more often; higher takes memory: with dynamic shape
the layers of 832x576 take 110 MB in 32 bits, else 27."""

MAX_COMPILED_SIZES = 4
"""Sizes whose networks are held, each some 30 to 70 MB; the one least recently used makes place for another."""

WORKING_SHARE = 1.5
"""Pixels of one image for each network, in shares of the largest, up to which networks hold the memory of their layers
between images. Lower takes less memory; to have it again takes 1280x736 a tenth of a look (51 MB in 32 bits)."""

MIN_WORKING_PIXELS = 1 << 20
"""The same pixels up to which they hold it whatever the largest has, since it is little."""

CORES_PER_REQUEST = 2
"""Cores for each smaller image. With 1, more images run at once; an analysis is not faster and takes more memory."""

SMALL_IMAGE_PIXELS = 256 * 1024
"""Pixels up to which an image gets one core, if all images are so small: faster, and takes little memory."""

_BFLOAT16_LIMITS = ("ALL", "DEFAULT", "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX10", "AVX2_VNNI_2")
"""How the values of ``ONEDNN_MAX_CPU_ISA`` that leave bfloat16 usable begin."""


@dataclass(frozen=True)
class _Compiled:
    """The compiled network with its inference requests, ``count`` in all, and those that are idle."""

    network: Any
    count: int
    idle: SimpleQueue[Any]
    names: list[list[str]]

    def take(self, *, wait: bool) -> Any | None:
        """Return an idle request; if there is none, wait for one or return None."""
        try:
            return self.idle.get(block=wait)
        except Empty:
            return None

    def rest(self) -> bool:
        """Free the memory of the layers, which the next image allocates again, unless a request runs; return whether.

        OpenVINO refuses it while one runs, so all are taken meanwhile.
        """
        taken = [request for _ in range(self.count) if (request := self.take(wait=False)) is not None]
        try:
            if len(taken) == self.count:
                self.network.release_memory()
        finally:
            for request in taken:
                self.idle.put(request)
        return len(taken) == self.count


class Network:
    """An ONNX face network that takes images of any size, from several threads at once.

    Images are padded at the right and bottom to multiples of 32 and passed as uint8 NHWC; conversion to the network's
    layout is part of the compiled graph (``PrePostProcessor``). Results do not depend on the number of threads.

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
        Whether the network expects BGR. Images are RGB everywhere.
    normalization : (float, float)
        What is subtracted from the pixels, and what they are multiplied by after that.

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
        normalization: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.name = name
        self.device = device
        self._config = _configuration(threads, precision)
        self._cores = threads or count_cores()
        self._streams = max(1, self._cores // CORES_PER_REQUEST)
        self._reverse = reverse_channels
        self._normalization = normalization
        self._core = ov.Core()
        self._compiled: OrderedDict[Size | None, _Compiled] = OrderedDict()
        # The pixels of the largest image since a network has rested, for those that have not.
        self._working: OrderedDict[Size | None, int] = OrderedDict()
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
        try:
            return list(self._results(images, read))
        except DetectorError:
            raise
        except RuntimeError as err:
            raise DetectorError(f"{self.name} failed on {self.device}: {_first_line(err)}") from err

    def prepare(self, *, width: int, height: int) -> None:
        """Compile for an image size before its first image; other images can run meanwhile."""
        size = _padded(height, width)
        key = _key(size)
        if size[0] * size[1] <= SMALL_IMAGE_PIXELS:
            self._streams = self._cores
        if key is not None and key not in self._compiled:
            compiled = self._compile(key)
            with self._lock:
                self._hold(key, compiled)

    def rest(self) -> None:
        """Free the memory of the layers, but keep the compiled networks; the next image allocates it again."""
        with self._lock:
            self._rest([*self._working])

    def release(self, *, besides: Iterable[tuple[int, int]] = ()) -> None:
        """Drop the networks compiled for large sizes, which hold memory; they are compiled again when needed.

        ``besides`` are the widths and heights of images whose networks stay.
        """
        kept = {None, *(_key(_padded(height, width)) for width, height in besides)}
        with self._lock:
            for size in [size for size in self._compiled if size is not None and size not in kept]:
                self._drop(size)
            self._rest([*self._working])

    def _drop(self, size: Size) -> None:
        del self._compiled[size]  # a request that still runs refers to its network
        self._working.pop(size, None)

    def _rest(self, keys: Sequence[Size | None], *, most: float = 0) -> None:
        """Let networks rest, one after the other, until ``most`` pixels are left; not those that run."""
        for key in keys:
            if sum(self._working.values()) > most and self._compiled[key].rest():
                del self._working[key]

    def _results(self, images: Sequence[Image], read: Reader[Result]) -> Iterator[Result]:
        running: deque[_Running] = deque()
        try:
            for image in images:
                size = _padded(*image.shape[:2])
                compiled = self._for(size)
                while (request := compiled.take(wait=not running)) is None:
                    yield _finish(running.popleft(), read)
                running.append(_Running(compiled, request, size))
                _fill(request.get_input_tensor(), image, size)
                request.start_async()
            while running:
                yield _finish(running.popleft(), read)
        finally:
            for other in running:
                other.return_request()

    def _for(self, size: Size) -> _Compiled:
        """Return the compiled network for a size: one for each large size, one with dynamic shape for the others.

        Dynamic shape is up to a fifth slower and takes twice the memory, but a new size costs a tenth of compiling it.
        """
        key = _key(size)
        with self._lock:
            if key not in self._compiled:
                self._hold(key, self._compile(key))
            self._compiled.move_to_end(key)
            self._working[key] = max(size[0] * size[1], self._working.pop(key, 0))
            # Those that rest are the ones least recently used.
            most = max(MIN_WORKING_PIXELS, WORKING_SHARE * max(self._working.values()))
            self._rest([other for other in self._working if other != key], most=most)
            return self._compiled[key]

    def _hold(self, key: Size | None, compiled: _Compiled) -> None:
        self._compiled.setdefault(key, compiled)
        sizes = [size for size in self._compiled if size is not None]
        for size in sizes[: max(0, len(sizes) - MAX_COMPILED_SIZES)]:
            self._drop(size)

    def _compile(self, size: Size | None) -> _Compiled:
        model = self._model.clone()
        model.reshape({0: [1, 3, *(size or (-1, -1))]})
        if size:
            run_in_stripes(model)
        steps = ov.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
        if self._reverse:
            steps.input().preprocess().reverse_channels()
        mean, scale = self._normalization
        if self._normalization != (0.0, 1.0):
            steps.input().preprocess().convert_element_type(ov.Type.f32).mean(mean).scale(1 / scale)
        # A large image runs on all cores, and the memory of its layers is there once.
        large = size is not None and size[0] * size[1] > SMALL_IMAGE_PIXELS
        config = {**self._config, "NUM_STREAMS": 1 if large else self._streams}
        compiled = compile_model(steps.build(), self.device, config, core=self._core)
        count = 2 * int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        names = [sorted(output.get_names()) for output in compiled.outputs]
        idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(count):
            idle.put(compiled.create_infer_request())
        return _Compiled(compiled, count, idle, names)


@dataclass(frozen=True)
class _Running:
    """A running inference request, the network it belongs to, and the size of its input."""

    compiled: _Compiled
    request: Any
    size: Size

    def return_request(self) -> None:
        """Wait until the request ends, however it ends, and return it to the idle ones."""
        try:
            with suppress(RuntimeError):
                self.request.wait()
        finally:
            self.compiled.idle.put(self.request)


def _configuration(threads: int | None, precision: str | None) -> dict[str, Any]:
    config: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
    if threads is not None:
        config["INFERENCE_NUM_THREADS"] = threads
    # OpenVINO asks the processor for bfloat16, and oneDNN, which runs the layers, may have been told to do without.
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    if precision is None and limit and not limit.startswith(_BFLOAT16_LIMITS):
        precision = "f32"
    if precision is not None:
        config["INFERENCE_PRECISION_HINT"] = precision
    return config


def _check_image(image: Image, number: int) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise DetectorError(
            f"image {number} must be uint8 of shape (H, W, 3), RGB, got {image.dtype} of shape {image.shape}"
        )


def _padded(height: int, width: int) -> Size:
    return height + -height % NETWORK_STRIDE_PIXELS, width + -width % NETWORK_STRIDE_PIXELS


def _key(size: Size) -> Size | None:
    return size if size[0] * size[1] >= LARGE_IMAGE_PIXELS else None


def _fill(tensor: Any, image: Image, size: Size) -> None:
    tensor.shape = (1, *size, 3)
    data = tensor.data[0]
    height, width = image.shape[:2]
    data[:height, :width] = image
    data[height:] = 0
    data[:height, width:] = 0


def _finish(running: _Running, read: Reader[Result]) -> Result:
    try:
        running.request.wait()
        named = enumerate(running.compiled.names)
        outputs = {name: running.request.get_output_tensor(k).data for k, names in named for name in names}
        return read(outputs, running.size)
    finally:
        running.return_request()


def _first_line(err: Exception) -> str:
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return lines[-1] if lines else type(err).__name__
