"""Series: every file kind keeps what a series means, and every bad table is refused in one sentence."""

import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import sensorium as sm
from sensorium.modalities import Wish, modality
from sensorium.modalities.contract import check_modality
from sensorium.types import InputError, Signal

SERIES = modality("series")


def shaken(rows: int = 90, rate_hz: float = 100.0) -> Signal:
    time = np.arange(rows) / rate_hz
    values = np.stack([np.sin(9 * time), 1000 + time], 1).astype(np.float32)
    return Signal(values, rate_hz, ("ax", "pressure, inside"), ("m/s2", "hPa"))


def test_the_contract():
    noise = np.random.default_rng(0).normal(size=(30, 3))
    check_modality(SERIES, [shaken(), noise, Signal(noise[:, :1], units=("K",)), Signal(noise, rate_hz=8.0)])


@pytest.mark.parametrize("media_type", ["text/csv", "application/vnd.apache.parquet"])
@pytest.mark.parametrize("rate_hz", [100.0, 0.1, 48000.0, 1 / 3600, 29.97])
def test_tables_keep_numbers_rate_names_and_units(media_type, rate_hz):
    series = shaken(rate_hz=rate_hz)
    back = SERIES.open(SERIES.to_bytes(series, media_type))
    assert np.array_equal(back.array, series.array)
    assert back.rate_hz == pytest.approx(rate_hz, rel=1e-6)
    assert (back.channels, back.units) == (series.channels, series.units)


def test_a_written_table_reads_plainly():
    text = SERIES.to_bytes(shaken()).decode().replace('"', "")
    assert text.startswith("time [s],ax [m/s2],pressure, inside [hPa]\n0,0,1000\n0.01,0.08987855,1000.01\n")
    assert SERIES.to_bytes(Signal(np.array([[1, 2], [3, 4]]))).decode() == "1,2\n3,4\n"


@pytest.mark.parametrize(
    ("text", "rate_hz", "names", "units"),
    [
        ("1,2\n3,4\n", None, (), ()),
        ("1\t2\n3\t4\n", None, (), ()),
        ("# made by hand\n1,2\n\n3,4\n", None, (), ()),
        ("a,b [V]\n1,2\n3,4\n", None, ("a", "b"), ("", "V")),
        ("t [ms],a,b\n0,1,2\n20,3,4\n", 50.0, ("a", "b"), ()),
        ("when,a,b\n2026-01-31 12:00:00,1,2\n2026-01-31 12:00:04,3,4\n", 0.25, ("a", "b"), ()),
        ("time;a;b\n0,0;1,0;2,0\n0,5;3,0;4,0\n", 2.0, ("a", "b"), ()),
        ("\ufeffa,b\n1,2\n3,4\n", None, ("a", "b"), ()),
    ],
)
def test_tables_of_others(text, rate_hz, names, units):
    found = SERIES.open(text.encode())
    assert np.array_equal(found.array, [[1, 2], [3, 4]])
    assert (found.rate_hz, found.channels, found.units) == (rate_hz, names, units)


def test_dicts_and_data_frames():
    columns = {"time": [0.0, 0.5, 1.0], "x [mm]": [Decimal(1), Decimal(2), Decimal(3)]}
    for thing in (columns, pa.table(columns)):
        found = SERIES.open(thing)
        assert (found.rate_hz, found.channels, found.units) == (2.0, ("x",), ("mm",))
        assert found.array.tolist() == [[1], [2], [3]]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"a,b\n1,2\n3,x\n", "'x' in row 2 of column 'b'"),
        (b"a,b\n1,2\n3,\n", "no number in row 2 of column 'b'"),
        (b"a\n1\nnan\n", "no number in row 2"),
        (b"a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
        (b"1,2\n", "one sample"),
        (b"a,b\n", "no rows"),
        (b"time\n1\n2\n", "no column of numbers"),
        (b"time,a\n0,1\n1,2\n2,3\n2.5,3\n", "no even rate: at row 4"),
        (b"time,a\n0,1\n-1,2\n-2,3\n", "no even rate"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b"PAR1 and no more", "no table of numbers"),
        (b"\x93NUMPY\x01", "no table of numbers"),
        (np.array([[1, np.nan], [2, 3]]), "nan for a number at sample 1 of channel 2"),
        (np.ones((3, 2, 2)), "shape"),
        (Signal(np.ones((4, 2)), channels=("a",)), "2 channels but 1 names"),
        (Signal(np.ones((4, 2)), rate_hz=-1.0), "-1.0 Hz"),
        ({"a": [1, 2], "b": [1]}, "one length"),
        ({"a": ["x", "y"]}, "'x' in row 1"),
        ({"a": [b"x", b"y"]}, "has binary in column 'a'"),
        ({"at": [datetime.time(1), datetime.time(2)], "a": [1, 2]}, r"times as time64\[us\]"),
    ],
)
def test_bad_series_are_refused_in_one_sentence(bad, said):
    with pytest.raises(InputError, match=said) as caught:
        SERIES.open(bad)
    assert "\n" not in str(caught.value)


def test_a_wished_rate_keeps_duration_and_mean():
    series = shaken(1000)
    slow, fast = SERIES.fit(series, Wish(rate_hz=10)), SERIES.fit(series, Wish(rate_hz=250))
    assert (len(slow.array), slow.rate_hz) == (100, 10)
    assert (len(fast.array), fast.rate_hz) == (2500, 250)
    for other in (slow, fast):
        assert np.allclose(other.array.mean(0), series.array.mean(0), rtol=1e-5, atol=4e-3)
    buzz = Signal(np.sin(np.arange(1000) * 2 * np.pi * 0.45)[:, None].astype(np.float32), 100.0)
    assert np.abs(SERIES.fit(buzz, Wish(rate_hz=10)).array).max() < 0.15  # what 10 Hz cannot show does not come back
    with pytest.raises(InputError, match="too short"):
        SERIES.fit(shaken(10), Wish(rate_hz=1))
    with pytest.raises(InputError, match=r"2 channels \(ax, pressure, inside\), 3 are needed"):
        SERIES.fit(series, Wish(channels=3))


def test_measures():
    series = shaken()
    assert SERIES.measures(series, series) == pytest.approx({"rmse": 0.0, "nrmse": 0.0, "correlation": 1.0})
    turned = SERIES.measures(Signal(series.array[:, :1]), Signal(-series.array[:60, :1]))
    assert turned["correlation"] == pytest.approx(-1.0)
    assert turned["rmse"] == pytest.approx(2 * np.sqrt(np.mean(series.array[:60, 0] ** 2)), rel=1e-5)


def test_a_preview_shows_every_channel():
    colours = np.unique(SERIES.preview(shaken(), 256).reshape(-1, 3), axis=0)
    assert len(colours) == 3


def test_a_part_says_what_a_bare_table_cannot(tmp_path):
    (tmp_path / "shaken.csv").write_text("1,2\n3,4\n")
    part = sm.Series(tmp_path / "shaken.csv", rate_hz=50, channels=("a", "b"))
    assert (part.modality, part.data.rate_hz, part.data.channels) == ("series", 50, ("a", "b"))
    assert sm.Series("later.csv") == sm.Part("series", "later.csv")
    assert sm.Image("cat.png") == sm.Part("image", "cat.png")
    with pytest.raises(AttributeError, match="Smell"):
        sm.Smell  # noqa: B018
    with pytest.raises(InputError, match="cannot be told colour"):
        sm.Series(np.ones((2, 1)), colour="red")


@pytest.mark.parametrize("rate_hz", [50.0, 12.5, 22050.0, 44100.0, 0.25])
@pytest.mark.parametrize("media_type", SERIES.media_types[:2])
def test_short_pieces_keep_their_rate_in_tables(rate_hz, media_type):
    signal = SERIES.check(Signal(np.arange(40.0)[:, None], rate_hz))
    assert SERIES.open(SERIES.to_bytes(signal, media_type)).rate_hz == rate_hz
