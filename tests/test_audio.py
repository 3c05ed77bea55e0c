"""Sounds: every file kind keeps them, bad ones get one sentence, long ones bounded memory, measures their meaning."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from bad_sounds import encoded, long_flac, tone, wav

import sensorium as sm
from sensorium.modalities import Wish, modality
from sensorium.modalities import audio as room
from sensorium.modalities.contract import check_modality
from sensorium.modalities.spectra import mel_db, mel_matrix
from sensorium.opening import apart
from sensorium.types import InputError, Signal

AUDIO = modality("audio")
HEARD = Wish(rate_hz=16000, channels=1)


@pytest.fixture(scope="module", autouse=True)
def workers():
    yield
    apart._workers.close()


def sound(samples: np.ndarray | None = None, rate_hz: float = 16000) -> Signal:
    return AUDIO.open(Signal(tone() if samples is None else samples, rate_hz))


def stereo(seconds: float = 0.5, rate_hz: int = 16000) -> np.ndarray:
    return np.stack([tone(seconds, rate_hz), tone(seconds, rate_hz, 880, 0.2)], 1)


def test_the_contract():
    one = np.zeros((1, 1), np.float32)
    check_modality(AUDIO, [sound(), encoded("mp3"), Signal(stereo(), 44100), Signal(one, 8000)])


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3"])
@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 96000])
def test_what_is_saved_sounds_the_same(tmp_path, suffix, rate_hz):
    given = sound(stereo(1, rate_hz), rate_hz)
    AUDIO.save(given, tmp_path / f"a{suffix}")
    back = AUDIO.open(tmp_path / f"a{suffix}", Wish(rate_hz=rate_hz))
    assert back.array.shape[1] == 2
    assert abs(len(back.array) - len(given.array)) <= 0.05 * rate_hz
    found = AUDIO.measures(given, back)
    assert found["level_difference_db"] < 0.5
    assert found["mel_difference_db"] < (0.01 if suffix in (".wav", ".flac") else 3)


@pytest.mark.parametrize("kind", ["wav", "flac", "opus", "mp3"])
def test_every_kind_is_known_by_its_content(kind):
    assert AUDIO.measures(sound(), AUDIO.open(encoded(kind), HEARD))["level_difference_db"] < 0.5


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "float64", "float16"])
def test_arrays_of_every_kind_of_number_are_the_same_sound(dtype):
    zero, full = room.SCALES.get(dtype, (0, 1))
    given = (tone() * full * 0.99 + zero).round(0 if full > 1 else 9).astype(dtype)
    assert np.allclose(sm.Audio(given, rate_hz=16000).array[:, 0], tone() * 0.99, atol=1.1 / 2**7)


def test_a_sound_is_made_one_channel_and_one_channel_several():
    given = sound(stereo())
    assert np.allclose(AUDIO.fit(given, Wish(channels=1)).array[:, 0], stereo().mean(1))
    assert np.array_equal(AUDIO.fit(sound(), Wish(channels=2)).array, np.stack([tone(), tone()], 1))
    with pytest.raises(InputError, match="has 2 channels, 3 are needed"):
        AUDIO.fit(given, Wish(channels=3))


def test_resampling_keeps_what_fits_and_drops_what_does_not():
    low, high = tone(2, 48000, 1000), tone(2, 48000, 11000)
    mixed = AUDIO.fit(sound(low + high, 48000), Wish(rate_hz=16000))
    assert mixed.rate_hz == 16000 and mixed.array.shape == (32000, 1)
    middle = slice(8000, 24000)
    assert np.abs(mixed.array[middle, 0] - tone(2, 16000, 1000)[middle]).max() < 1e-3
    again = AUDIO.fit(sound(tone(2, 16000, 1000)), Wish(rate_hz=48000))
    assert np.abs(again.array[24000:72000, 0] - low[24000:72000]).max() < 1e-3


def test_a_wish_while_reading_gives_what_fit_gives_afterwards(monkeypatch):
    data = encoded("wav", stereo(3, 44100), 44100)
    whole = AUDIO.fit(AUDIO.open(data), HEARD)
    monkeypatch.setattr(room.audio_files, "BLOCK", 1000)
    assert np.allclose(AUDIO.open(data, HEARD).array, whole.array, atol=1e-6)


def test_what_is_beyond_full_level_is_cut_off_there(tmp_path):
    soundfile.write(tmp_path / "loud.wav", tone(level=1.7), 16000, subtype="FLOAT")
    for loud in (AUDIO.open(tmp_path / "loud.wav"), sound(tone(level=1.7))):
        assert np.array_equal(loud.array[:, 0], tone(level=1.7).clip(-1, 1))
    square = np.sign(tone(1, 48000, 300)) * np.float32(1)
    assert np.abs(AUDIO.fit(sound(square, 48000), HEARD).array).max() <= 1, "the resampler overshoots"


def test_silence_and_one_sample_go_everywhere(tmp_path):
    for samples in (np.zeros(16000, np.float32), np.array([0.5], np.float32)):
        given = sound(samples)
        assert AUDIO.preview(given).shape == (128, 256, 3)
        assert all(np.isfinite(list(AUDIO.measures(given, sound()).values())))
        assert AUDIO.measures(given, given)["mel_difference_db"] == 0
    with pytest.raises(InputError, match="has no samples at 8000 Hz"):
        AUDIO.fit(sound(np.array([0.5], np.float32), 768000), Wish(rate_hz=8000))


NOT_A_NUMBER = np.array([0, np.nan] + [0] * 98, np.float32)
BAD_FILES = {
    "empty": (b"", "is empty"),
    "text": (b"not a sound at all", "is not a sound of a known kind"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(99), "is not a sound of a known kind"),
    "a film": (b"\0\0\0\x18ftypM4A " + bytes(99), "is not a sound of a known kind; save it as wav"),
    "another RIFF": (b"RIFF\x24\0\0\0AVI LIST" + bytes(99), "is not a sound of a known kind"),
    "a head alone": (encoded("wav")[:40], "damaged or cut short"),
    "half a FLAC": (encoded("flac")[:2000], "damaged or cut short"),
    "a FLAC's head": (encoded("flac")[:40], "damaged or cut short"),
    "an ogg's head": (encoded("opus")[:40], "damaged or cut short"),
    "an mp3's head": (encoded("mp3")[:60], "damaged or cut short"),
    "noise behind a FLAC's head": (encoded("flac")[:500] + np.random.default_rng(0).bytes(5000), "damaged"),
    "no samples": (wav(b""), "has no samples"),
    "no channels": (wav(bytes(200), channels=0), "damaged"),
    "many channels": (wav(bytes(2000), channels=600), "600 channels, at most 32"),
    "no rate": (wav(bytes(200), rate_hz=0), "rate of 0 Hz|damaged"),
    "an absurd rate": (wav(bytes(200), rate_hz=2**31 - 1), "rate of 2.14748e\\+09 Hz"),
    "an unknown coding": (wav(bytes(200), tag=0x1234), "damaged"),
    "not a number": (wav(NOT_A_NUMBER.tobytes(), bits=32, tag=3), r"no number at 0\.000 s"),
    "another scale": (wav((tone() * 32768).tobytes(), bits=32, tag=3), "samples up to 16384"),
}


@pytest.mark.parametrize(("data", "sentence"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_sound_gets_one_sentence_with_its_name(tmp_path, data, sentence):
    path = tmp_path / "holiday.wav"
    path.write_bytes(data)
    with pytest.raises(InputError, match=sentence) as caught:
        AUDIO.open(path)
    assert "holiday.wav" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=sentence):
        AUDIO.open(data)


BAD_ARRAYS = [
    (np.zeros(0, np.float32), "has no samples"),
    (np.zeros((0, 2), np.float32), "has no samples"),
    (np.zeros((2, 2, 2), np.float32), r"the shape \(samples, channels\), not float32 \(2, 2, 2\)"),
    (np.zeros((2, 16000), np.float32), r"16000 channels, at most 32; an array's shape is \(samples, channels\)"),
    (np.zeros(9, bool), "floats in -1..1"),
    (np.zeros(9, complex), "floats in -1..1"),
    (np.array([0, np.inf]), "no number"),
    (np.array([0, 20000.0]), "divide it by its full level"),
    (np.broadcast_to(np.float32(0), (10**8 + 1, 1)), "longer than the 6250 s that a sound may last at 16000 Hz"),
]


@pytest.mark.parametrize(("array", "sentence"), BAD_ARRAYS, ids=[sentence for _, sentence in BAD_ARRAYS])
def test_a_bad_array_gets_one_sentence(array, sentence):
    with pytest.raises(InputError, match=sentence):
        sm.Audio(array, rate_hz=16000)


@pytest.mark.parametrize("rate_hz", [0, -1, 99, 16000.5, 10**6, float("nan")])
def test_a_bad_rate_gets_one_sentence(rate_hz):
    with pytest.raises(InputError, match="has a rate of"):
        sm.Audio(tone(), rate_hz=rate_hz)


def test_an_array_without_a_rate_says_how_to_give_it():
    with pytest.raises(InputError, match=r"say it, e\.g\. sm\.Audio\(array, rate_hz=16000\)"):
        AUDIO.open(tone())
    assert sm.Audio(tone(), rate_hz=16000).data == sound()


def test_a_wave_whose_end_was_never_written_is_read_to_its_end():
    streamed = wav((tone() * 32767).astype("<i2").tobytes(), claimed=2**32 - 1)
    assert AUDIO.open(streamed).array.shape == (8000, 1)


def test_compressed_sound_is_opened_in_another_process_and_plain_samples_here(monkeypatch):
    sent = []
    monkeypatch.setattr(apart, "open_apart", lambda *said: sent.append(said[2]) or sound())
    for kind in ("flac", "opus", "mp3"):
        AUDIO.open(encoded(kind))
    AUDIO.open(wav(bytes(99), tag=0x11, bits=4))
    assert len(sent) == 4
    assert AUDIO.open(encoded("wav")).array.shape == (8000, 1)
    assert len(sent) == 4


def test_a_small_file_that_lasts_for_long_is_refused(monkeypatch):
    monkeypatch.setattr(room, "MOST_VALUES", 10**6)
    night = long_flac(25)
    assert len(night) < 10**4
    with pytest.raises(InputError, match=r"night\.flac is longer than the 21 s .* cut it in parts"):
        AUDIO.read(night, "night.flac")
    assert len(AUDIO.read(night, "night.flac", Wish(rate_hz=8000)).array) == 25 * 8000


OPEN_ONE = """
import resource, sys
from sensorium.modalities import Wish, modality
audio = modality("audio")
audio.open(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.argv[1] == "pieces":
    lengths = [len(piece.signal.array) for piece in audio.pieces(sys.argv[3], 30, Wish(rate_hz=16000, channels=1))]
else:
    lengths = [len(audio.open(sys.argv[3], Wish(rate_hz=16000, channels=1)).array)]
print(sum(lengths), max(lengths), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    """A folder with ten minutes in stereo at 48 kHz, 115 MB as a file and 230 MB as floats, and a short sound."""
    folder = tmp_path_factory.mktemp("hour")
    (folder / "short.wav").write_bytes(encoded("wav", stereo(1, 48000), 48000))
    minute = np.concatenate([stereo(50, 48000), np.zeros((480_000, 2), np.float32)])
    with soundfile.SoundFile(folder / "hour.wav", "w", 48000, 2) as file:
        for _ in range(10):
            file.write(minute)
    return folder


@pytest.mark.parametrize(("how", "most_mb"), [("open", 100), ("pieces", 30)])
def test_a_long_file_needs_the_memory_of_what_is_wished(hour, how, most_mb):
    paths = [str(hour / name) for name in ("short.wav", "hour.wav")]
    done = subprocess.run([sys.executable, "-c", OPEN_ONE, how, *paths], capture_output=True, text=True, check=True)
    total, longest, grown_mb = map(int, done.stdout.split())
    assert total == 600 * 16000
    assert longest <= 30 * 16000 or how == "open"
    assert grown_mb < most_mb


def test_a_long_sound_is_cut_in_its_pauses():
    said = [tone(seconds, level=0.5) for seconds in (3.1, 2.2, 3.4, 1.0)]
    pause = np.random.default_rng(0).normal(0, 1e-3, 8000).astype(np.float32)
    whole = np.concatenate([piece for one in said for piece in (one, pause)])
    found = list(AUDIO.pieces(Signal(whole, 16000), longest_s=4.5))
    assert np.array_equal(np.concatenate([one.signal.array[:, 0] for one in found]), whole), "nothing is lost"
    assert all(len(one.signal.array) <= 4.5 * 16000 for one in found)
    starts = [one.start_s for one in found]
    pauses = [(3.1, 3.6), (5.8, 6.3), (9.7, 10.2)]
    assert len(starts) == 4 and all(a < start < b for start, (a, b) in zip(starts[1:], pauses, strict=True))


def test_a_sound_without_pauses_is_cut_all_the_same():
    found = list(AUDIO.pieces(sound(tone(10)), longest_s=2))
    assert sum(len(one.signal.array) for one in found) == 160_000
    assert 5 <= len(found) <= 10
    silent = list(AUDIO.pieces(sound(np.zeros(160_000, np.float32)), longest_s=4))
    assert len(silent) == 3, "of places that are as quiet, the latest"
    with pytest.raises(InputError, match="parts of a second or more"):
        list(AUDIO.pieces(sound(), longest_s=0.1))


def test_pieces_of_a_file_are_those_of_the_sound(tmp_path):
    samples = np.concatenate([tone(2), np.zeros(4000, np.float32)] * 4)
    for kind in ("wav", "flac"):
        (tmp_path / f"a.{kind}").write_bytes(encoded(kind, samples))
        found = list(AUDIO.pieces(tmp_path / f"a.{kind}", 3))
        again = list(AUDIO.pieces(AUDIO.open(tmp_path / f"a.{kind}"), 3))
        assert [one.start_s for one in found] == [one.start_s for one in again]
        assert all(one.signal == two.signal for one, two in zip(found, again, strict=True))


def test_measures_say_what_they_are_named_for():
    noise = np.random.default_rng(0).normal(0, 1, 8000).astype(np.float32)
    noise *= np.linalg.norm(tone()) / np.linalg.norm(noise)
    found = AUDIO.measures(sound(), sound(tone() + 0.1 * noise))
    assert found["si_sdr_db"] == pytest.approx(20, abs=0.3)
    quieter = AUDIO.measures(sound(), sound(tone() / 2))
    assert quieter["si_sdr_db"] == 60, "at any level"
    assert quieter["level_difference_db"] == pytest.approx(6.02, abs=0.01)
    assert quieter["mel_difference_db"] < 6.1
    assert AUDIO.measures(sound(), sound(noise * 0.5))["si_sdr_db"] < -20
    assert AUDIO.measures(sound(), sound(tone(pitch_hz=880)))["mel_difference_db"] > 3
    up = AUDIO.fit(sound(tone(1)), Wish(rate_hz=48000))
    assert AUDIO.measures(sound(tone(1)), up)["si_sdr_db"] > 20, "other rates are no difference"


def test_mel_bands_lie_where_they_are_heard():
    bands = mel_matrix(16000, 1024, 64)
    assert (bands.sum(1) > 0).all() and bands.max() <= 1
    loud = mel_db(tone(1, pitch_hz=1000, level=1.0), 16000)
    middle_hz = np.fft.rfftfreq(1024, 1 / 16000)[bands.argmax(1)]
    assert abs(middle_hz[loud[50].argmax()] - 1000) < 60
    assert loud[50].max() == pytest.approx(0, abs=3), "a sine of full level is 0 dB"
    assert mel_db(np.zeros(16000, np.float32), 16000) == pytest.approx(-80)


def test_a_preview_shows_tones_at_their_height_and_time():
    rising = np.concatenate([tone(1, pitch_hz=300), tone(1, pitch_hz=4000)])
    picture = AUDIO.preview(sound(rising), 128).astype(int).sum(2)
    low, high = picture[:, 20].argmax(), picture[:, 100].argmax()
    assert high < low - 15, "higher tones are higher"
    silent = AUDIO.preview(sound(np.zeros(16000, np.float32)), 128)
    assert (silent == silent[0, 0]).all()


def test_what_a_codec_wrote_is_mended():
    wild = Signal(np.array([[0.5], [1.5], [np.nan]], np.float32), 16000)
    assert AUDIO.check(AUDIO.mend(wild)).array[:, 0].tolist() == [0.5, 1, 0]


def test_parts_of_the_api():
    heard = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}}
    assert AUDIO.part_data(heard) == "data:audio/mpeg;base64,QUJD"
    assert AUDIO.part_data({"type": "input_audio", "input_audio": {"data": "QUJD"}}) == "data:audio/wav;base64,QUJD"
    assert AUDIO.part_data({"type": "audio_url", "audio_url": {"url": "data:x"}}) == "data:x"
    assert AUDIO.part_data({"type": "image_url", "image_url": {"url": "data:x"}}) is None
    with pytest.raises(InputError, match="in the format 'pcm16' is not opened; send one of wav, flac"):
        AUDIO.part_data({"type": "input_audio", "input_audio": {"data": "", "format": "pcm16"}})
    fields = AUDIO.in_reply([{"type": "audio_url", "audio_url": {"url": "data:audio/wav;base64,QUJD"}}], "hi")
    assert fields["audio"]["data"] == "QUJD" and fields["audio"]["transcript"] == "hi"
    assert [AUDIO.part_data(part) for part in AUDIO.from_reply(fields)] == ["data:audio/wav;base64,QUJD"]
