"""Grids on a server: the same numbers as from the disk, and one sentence for every address that gives no grid."""

import asyncio
import shutil
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype

from stochattn_core.datasets import load_dataset
from stochattn_core.readers import era5, grid_from_file
from stochattn_core.readers.grid import address as grid_address
from stochattn_core.readers.grid.address import open_address
from stochattn_core.readers.grid.contents import contents_of
from stochattn_core.readers.grid.http_store import HttpStore
from tests.test_bad_grids import with_levels
from tests.test_grids import fields, saved


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def serving(handler):
    """Run a server on this machine; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def address(tmp_path):
    """The address of a server of this folder. It is Python's own, which knows no ranges."""
    with serving(partial(Quiet, directory=str(tmp_path))) as url:
        yield url


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_zarr_store_on_a_server_gives_the_numbers_of_the_disk(version, address, tmp_path):
    fields().to_zarr(tmp_path / "a.zarr", zarr_format=version, consolidated=True)
    calls = []
    dataset = grid_from_file(f"{address}/a.zarr/", "t", progress=lambda *call: calls.append(call))
    assert dataset.sha256 == grid_from_file(tmp_path / "a.zarr", "t").sha256 and dataset.name == "a"
    assert calls[-1][0] == calls[-1][1] and "reading" in calls[-1][2]


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_a_netcdf_file_on_a_server_gives_the_numbers_of_the_disk(engine, address, tmp_path):
    path = saved(fields(), tmp_path, engine)
    assert grid_from_file(f"{address}/grid.nc", "t").sha256 == grid_from_file(path, "t").sha256
    calls = []
    assert open_address(f"{address}/grid.nc", lambda *call: calls.append(call)).read() == path.read_bytes()
    assert calls and all("grid.nc" in stage for _, _, stage in calls)


def test_a_range_of_a_chunk_is_right_where_the_server_knows_no_ranges(address, tmp_path):
    (tmp_path / "c").write_bytes(bytes(range(100)))
    store = HttpStore(address)
    for part, wanted in (
        (RangeByteRequest(3, 7), range(3, 7)),
        (OffsetByteRequest(95), range(95, 100)),
        (SuffixByteRequest(4), range(96, 100)),
    ):
        assert asyncio.run(store.get("c", default_buffer_prototype(), part)).to_bytes() == bytes(wanted)
    assert asyncio.run(store.get("d", default_buffer_prototype())) is None
    assert asyncio.run(store.exists("c")) and not asyncio.run(store.exists("d"))


def test_an_address_without_a_grid_is_refused_in_one_sentence(address, tmp_path, monkeypatch):
    (tmp_path / "page.html").write_text("<html>")
    with pytest.raises(ValueError, match=r"expected a Zarr store or a NetCDF file at '.*/none.nc', got the answer 404; check the address"):
        grid_from_file(f"{address}/none.nc", "t")
    with pytest.raises(ValueError, match="got a web page; check the address"):
        grid_from_file(f"{address}/page.html", "t")
    (tmp_path / "notes.txt").write_text("no grid")
    with pytest.raises(ValueError, match="got another kind of file; check the address"):
        grid_from_file(f"{address}/notes.txt", "t")
    (tmp_path / "odd.nc").write_bytes(b"CDF\x05" + bytes(400))
    with pytest.raises(ValueError, match=r"'odd.nc' is NetCDF of the CDF-5 kind, which is not read here; convert it to NetCDF"):
        grid_from_file(f"{address}/odd.nc", "t")
    fields().to_zarr(tmp_path / "loose.zarr", zarr_format=2, consolidated=False)
    with pytest.raises(ValueError, match=r"expected consolidated metadata in 'loose.zarr' on a server, found none; write it with"):
        grid_from_file(f"{address}/loose.zarr", "t")
    saved(fields(), tmp_path)
    monkeypatch.setattr(grid_address, "MAX_SIZE", 1 << 10)
    with pytest.raises(ValueError, match=r"expected at most 0 MB at .*; download it and give its path"):
        grid_from_file(f"{address}/grid.nc", "t")
    with pytest.raises(ValueError, match="got no answer"):
        grid_from_file("http://[::1", "t")


@pytest.mark.parametrize("given", ["https://", "gs://", "s3:// ", "HTTP:///", "gs:///folder", "ftp://host/file", "://"])
def test_an_address_without_a_name_is_refused_in_one_sentence(given):
    with pytest.raises(ValueError, match=r"expected an address that begins with https://, gs:// or s3:// and a name, got"):
        open_address(given)


def test_the_scheme_of_an_address_may_be_in_capitals(address, tmp_path):
    path = saved(fields(), tmp_path)
    assert open_address(f" {address.replace('http', 'HTTP')}/grid.nc ").read() == path.read_bytes()


@pytest.mark.parametrize("length", ["{}", "abc"])
def test_a_server_may_pause_within_a_file_and_need_not_state_its_length(length, tmp_path, monkeypatch):
    content = saved(fields(), tmp_path).read_bytes()

    class Slow(Quiet):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", length.format(len(content)))
            self.end_headers()
            self.wfile.write(content[:2000])
            self.wfile.flush()
            time.sleep(0.8)
            self.wfile.write(content[2000:])

    monkeypatch.setattr(grid_address, "TIMEOUT", 0.4)  # limits the first answer only
    with serving(Slow) as address:
        assert open_address(f"{address}/grid.nc").read() == content


def test_a_store_whose_connection_is_lost_is_refused_in_one_sentence(address, tmp_path, monkeypatch):
    fields().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=True)
    store = open_address(f"{address}/a.zarr")
    assert contents_of(store)[0].name == "t"
    lost = lambda *_, **__: (_ for _ in ()).throw(ConnectionResetError())  # noqa: E731
    real = HttpStore._content
    monkeypatch.setattr(HttpStore, "_content", lambda self, key, part: lost() if key.startswith("t/") else real(self, key, part))
    with pytest.raises(ValueError, match=r"from 'a.zarr', got ConnectionResetError: the connection was lost; try again"):
        grid_from_file(store, "t")


def test_a_missing_chunk_has_missing_values(address, tmp_path):
    fields().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=True, encoding={"t": {"chunks": (120, 11, 12)}})
    (tmp_path / "a.zarr" / "t" / "1.0.0").unlink()
    with pytest.raises(ValueError, match=r"expected at least 8 init times .* in the calibration part"):
        grid_from_file(f"{address}/a.zarr", "t")


def test_the_contents_list_what_can_be_forecast_and_why_the_rest_cannot(tmp_path):
    both = fields().assign(
        z=with_levels().t.rename("z").assign_attrs(units="m**2 s**-2", long_name="Geopotential"), lsm=fields().t.isel(time=0, drop=True)
    )
    temperature, geopotential, land = contents_of(saved(both, tmp_path))
    assert (temperature.name, temperature.units, temperature.levels, temperature.at(None)) == ("t", "K", (), "t")
    assert temperature.axes == (("time", 240), ("latitude", 11), ("longitude", 12))
    assert (str(temperature.first), str(temperature.last), temperature.step.total_seconds()) == (
        "2020-01-01 00:00:00",
        "2020-02-29 18:00:00",
        6 * 3600,
    )
    assert geopotential.levels == (500, 850) and geopotential.title == "Geopotential" and geopotential.at(850.0) == "z_850"
    assert land.name == "lsm" and "expected an axis of time for 'lsm'" in land.problem and not temperature.problem
    for lead in temperature.leads:
        grid_from_file(tmp_path / "grid.nc", "t", lead_time=lead)
    assert set(temperature.leads) == {6, 12, 24, 48, 72, 120}
    with pytest.raises(ValueError, match="expected at least 8 init times"):
        grid_from_file(tmp_path / "grid.nc", "t", lead_time=168)


def test_era5_without_a_network_is_refused_in_one_sentence(empty_cache, monkeypatch):
    monkeypatch.setattr(grid_address, "urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(ValueError, match=r"expected to fetch ERA5 .* got OSError; connect to the internet once, or pick an embedded"):
        load_dataset("era5")


def test_era5_is_fetched_from_the_address_of_a_public_bucket(empty_cache, address, tmp_path, monkeypatch):
    from tests.test_grids import weatherbench

    store = weatherbench(tmp_path)
    monkeypatch.setattr(era5, "STORE", store.name)
    monkeypatch.setattr(grid_address, "_https_url", lambda url: url.replace("gs:/", address))
    dataset = load_dataset("era5")
    assert dataset.name == "era5" and dataset.target_name == "geopotential_500" and len(dataset.feature_names) == 5
    shutil.rmtree(store)
    assert load_dataset("era5").sha256 == dataset.sha256  # from the cache
