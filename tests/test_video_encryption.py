"""Encrypted files are refused by name, clear ones are not."""

from pathlib import Path

import pytest

from redactkit.cli import main
from redactkit.errors import VideoError
from redactkit.video import probe
from redactkit.video.encryption import Encryption, find_encryption
from tests.clips import Clip, make


def box(kind: bytes, *contents: bytes) -> bytes:
    """One box of an mp4 file."""
    content = b"".join(contents)
    return (8 + len(content)).to_bytes(4, "big") + kind + content


KEYS = box(b"pssh", bytes(24))
SCHEME = box(b"sinf", box(b"frma", b"avc1"), box(b"schm", bytes(4), b"cbcs", bytes(4)))


@pytest.mark.parametrize("fragments", [False, True])
def test_an_encrypted_sample_entry_is_refused_with_its_scheme(tmp_path: Path, fragments: bool) -> None:
    entry = box(b"encv", bytes(78), box(b"avcC", b"\1"), SCHEME)
    table = box(b"stbl", box(b"stsd", bytes(8), entry))
    handler = box(b"hdlr", bytes(8), b"vide", bytes(12))
    movie = box(b"moov", box(b"trak", box(b"mdia", handler, box(b"minf", table))))
    rest = box(b"moof", box(b"traf", box(b"senc", bytes(8)))) if fragments else b""
    path = tmp_path / "a.mp4"
    path.write_bytes(box(b"ftyp", b"isom") + movie + rest + box(b"mdat", bytes(100)))
    with pytest.raises(VideoError, match=r"a\.mp4: the video is encrypted \(MPEG-CENC, scheme cbcs\); decrypt it"):
        probe(path)


def movie_of(*entries: bytes) -> bytes:
    """An mp4 of one video track with these sample entries."""
    table = box(b"stbl", box(b"stsd", bytes(8), *entries))
    handler = box(b"hdlr", bytes(8), b"vide", bytes(12))
    header = box(b"tkhd", bytes(12), (1).to_bytes(4, "big"), bytes(68))
    track = box(b"trak", header, box(b"mdia", handler, box(b"minf", table)))
    return box(b"ftyp", b"isom") + box(b"moov", track, KEYS)


def test_keys_of_samples_in_fragments_are_encryption(tmp_path: Path) -> None:
    run = box(b"traf", box(b"tfhd", bytes(4), (1).to_bytes(4, "big")), box(b"senc", bytes(4), (1).to_bytes(4, "big")))
    path = tmp_path / "a.mp4"
    path.write_bytes(movie_of(box(b"avc1", bytes(78))) + box(b"moof", run))
    assert "fragments" in find_encryption(path).video


def test_keys_that_a_decrypting_tool_left_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(movie_of(box(b"avc1", bytes(78))))
    assert find_encryption(path) == Encryption()


def test_encrypted_sound_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(movie_of(box(b"enca", bytes(28), SCHEME)))
    found = find_encryption(path)
    assert found.video == "" and "cbcs" in found.audio


def test_encrypted_matroska_is_refused(tmp_path: Path) -> None:
    def element(number: str, content: bytes) -> bytes:
        return bytes.fromhex(number) + (len(content) | 1 << 28).to_bytes(4, "big") + content

    encryption = element("6d80", element("6240", element("5035", element("47e1", b"\5"))))
    tracks = element("1654ae6b", element("ae", element("d7", b"\1") + element("83", b"\1") + encryption))
    path = tmp_path / "a.mkv"
    path.write_bytes(element("1a45dfa3", element("4286", b"\1")) + element("18538067", tracks))
    assert "Matroska" in find_encryption(path).video


def test_a_scrambled_transport_stream_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.ts", Clip(frames=5))
    assert find_encryption(path) == Encryption()
    data = bytearray(path.read_bytes())
    data[188 * 4 + 3] |= 0x80
    path.write_bytes(data)
    assert find_encryption(path) == Encryption()  # one flipped bit is damage
    for packet in range(0, len(data), 188):
        data[packet + 3] |= 0x80
    path.write_bytes(data)
    assert "scrambled" in find_encryption(path).video


@pytest.mark.parametrize("extension", ["mp4", "mov", "mkv", "webm", "avi", "ts"])
def test_clear_files_pass(tmp_path: Path, extension: str) -> None:
    codec = "libvpx-vp9" if extension == "webm" else "libx264"
    assert find_encryption(make(tmp_path / f"a.{extension}", Clip(frames=3, codec=codec))) == Encryption()


@pytest.mark.parametrize(
    "data", [b"\0\0\0\1ftyp\0\0\0\0\0\0\0\0", b"\0\0\0\0moov", b"\x1a\x45\xdf\xa3\x00", b"G" + bytes(599)]
)
def test_broken_structure_ends_the_reading(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    assert find_encryption(path) == Encryption()


def test_the_command_line_writes_nothing_for_an_encrypted_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(movie_of(box(b"encv", bytes(78), SCHEME)))
    assert main(["combined", str(path), "--quiet"]) == 1
    assert "is encrypted" in capsys.readouterr().err
    assert [left.name for left in tmp_path.iterdir()] == ["a.mp4"]
