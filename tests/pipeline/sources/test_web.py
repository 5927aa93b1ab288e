import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pipeline.sources.part import Part
from pipeline.sources.retry import MirrorError, Patience
from pipeline.sources.web import download_http
from tests.file_server import cut, page, redirect, stall, status, wrong_range

DATA = b"PK\x03\x04" + random.Random(1).randbytes(700_000)


class Download:
    """A download whose pauses are written down instead of waited for."""

    def __init__(self, folder, **patience):
        self.part, self.pauses, self.told = Part(folder / "a.zip.part"), [], []
        self.patience = Patience(
            **{"retries": 3, "timeout_s": 5.0, "allow_http": True, **patience}, sleep=self.pauses.append
        )

    def __call__(self, url, expected_bytes=None):
        download_http(url, self.part, "a.zip", self.patience, self.tell, expected_bytes)
        return self.part.path.read_bytes()

    def tell(self, done, total):
        self.told.append((done, total))


@pytest.fixture
def download(tmp_path):
    return Download(tmp_path)


def test_a_file_comes_whole_and_its_bytes_are_told(server, download):
    assert download(server.add("a.zip", DATA), len(DATA)) == DATA
    assert download.told[0] == (0, len(DATA)) and download.told[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in download.told] == sorted(done for done, _ in download.told)
    assert download.pauses == []


def test_a_broken_connection_is_continued_in_the_middle(server, download):
    assert download(server.add("a.zip", DATA, cut(300_000))) == DATA
    first, second = server.headers("Range")
    assert first is None and second == "bytes=300000-"
    assert server.headers("If-Range")[1].startswith('"')
    assert len(download.pauses) == 1 and download.told[-1] == (len(DATA), len(DATA))


def test_a_later_call_continues_what_an_earlier_one_left(server, tmp_path):
    url = server.add("a.zip", DATA, cut(300_000))
    with pytest.raises(MirrorError, match=r"IncompleteRead|ended|broken"):
        Download(tmp_path, retries=0)(url)
    assert Download(tmp_path)(url) == DATA
    assert server.headers("Range")[1] == "bytes=300000-"


def test_a_complete_part_asks_for_nothing(server, tmp_path):
    url = server.add("a.zip", DATA)
    Download(tmp_path)(url)
    assert Download(tmp_path)(url) == DATA and len(server.requests) == 1


@pytest.mark.parametrize("fields", [{"ranges": False}, {"ranges": False, "tagged": False}])
def test_a_server_without_ranges_starts_over(server, download, fields):
    assert download(server.add("a.zip", DATA, cut(300_000), **fields)) == DATA


def test_a_server_without_tags_continues_by_length(server, download):
    assert download(server.add("a.zip", DATA, cut(300_000), tagged=False)) == DATA
    assert server.headers("Range")[1] == "bytes=300000-" and server.headers("If-Range")[1] is None


def test_a_file_that_changed_meanwhile_starts_over(server, tmp_path):
    url = server.add("a.zip", DATA, cut(300_000))
    with pytest.raises(MirrorError):
        Download(tmp_path, retries=0)(url)
    server.add("a.zip", DATA[::-1])
    assert Download(tmp_path)(url) == DATA[::-1]


def test_a_file_that_became_shorter_starts_over(server, tmp_path):
    url = server.add("a.zip", DATA, cut(300_000), tagged=False)
    with pytest.raises(MirrorError):
        Download(tmp_path, retries=0)(url)
    server.add("a.zip", DATA[:1000], tagged=False)
    assert Download(tmp_path)(url) == DATA[:1000]
    assert server.headers("Range") == [None, "bytes=300000-", None]


def test_a_range_that_does_not_fit_starts_over(server, download):
    assert download(server.add("a.zip", DATA, cut(300_000), wrong_range)) == DATA


def test_waits_as_the_server_asks_within_bounds(server, download):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    url = server.add(
        "a.zip", DATA, status(429, Retry_After="7"), status(503, Retry_After=soon), status(503, Retry_After="99999")
    )
    assert download(url) == DATA
    assert download.pauses[0] == 7 and 40 < download.pauses[1] <= 50 and download.pauses[2] == 120


def test_pauses_grow_and_tries_end(server, download):
    url = server.add("a.zip", DATA, *[status(503)] * 9)
    with pytest.raises(MirrorError, match=r"the server answers 503 .*\(4 tries without progress\)"):
        download(url)
    assert download.pauses == [1, 2, 4] and len(server.requests) == 4


def test_progress_starts_the_count_of_tries_anew(server, tmp_path):
    troubles = [cut(300_000), status(503), cut(600_000), status(503)]
    assert Download(tmp_path, retries=2)(server.add("a.zip", DATA, *troubles)) == DATA


def test_a_stalled_connection_is_given_up_and_continued(server, tmp_path):
    assert Download(tmp_path, timeout_s=0.3)(server.add("a.zip", DATA, stall(300_000))) == DATA
    assert server.headers("Range")[1] == "bytes=262144-"


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_final(server, download, code):
    with pytest.raises(MirrorError, match=f"the server answers {code}"):
        download(server.add("a.zip", DATA, status(code)))
    assert download.pauses == [] and not download.part.path.exists()


def test_another_length_than_known_is_refused_before_it_comes(server, download):
    with pytest.raises(MirrorError, match=r"the file there has 700004 bytes, expected 5"):
        download(server.add("a.zip", DATA), 5)
    assert not download.part.path.exists()


def test_redirects_are_followed(server, download):
    server.add("real.zip", DATA)
    server.add("b", b"", redirect("/real.zip"))
    assert download(server.add("a.zip", b"", redirect(f"{server.url}/b"))) == DATA


def test_endless_redirects_are_told(server, download):
    url = f"{server.url}/a.zip"
    server.add("a.zip", b"", *[redirect(url)] * 40)
    with pytest.raises(MirrorError, match="redirects"):
        download(url)


def test_plain_http_is_refused_unless_allowed(server, tmp_path):
    with pytest.raises(MirrorError, match=r"plain http.*set download\.allow_http: true"):
        Download(tmp_path, allow_http=False)(server.add("a.zip", DATA))
    assert server.requests == []


SIGN_IN = "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><form><input type='password'></form></html>"
QUOTA = (
    "<html><head><title>Google Drive - Quota exceeded</title></head><p>Too many users have viewed this file</p></html>"
)
OTHER = "\ufeff  <HTML><TITLE>\n Cookie\n settings </TITLE></HTML>"


@pytest.mark.parametrize(
    ("html", "told"), [(SIGN_IN, "asks to sign in"), (QUOTA, "quota"), (OTHER, "a web page \\('Cookie settings'\\)")]
)
def test_a_page_in_place_of_an_archive_is_recognised(server, download, html, told):
    url = server.add("login", b"", *[page(html)] * 2)
    for address, size in ((url, None), (server.add("a.zip", b"", redirect(url)), 12345)):
        with pytest.raises(MirrorError, match=told):
            download(address, size)
    assert download.pauses == [] and not download.part.path.exists()


def test_the_warning_about_unscanned_files_is_answered(server, download):
    form = (
        '<html><form id="download-form" action="download" method="get"><input type="hidden" name="id" value="x y">'
        '<input type="hidden" name="confirm" value="t"><input type="submit"></form></html>'
    )
    server.add("there/download?id=x+y&confirm=t", DATA, cut(300_000))
    server.add("there/warning", b"", page(form))
    assert download(server.add("a.zip", b"", redirect("/there/warning"))) == DATA
    asked = ["a.zip", "there/warning", *["there/download?id=x+y&confirm=t"] * 2]
    assert [path for path, _ in server.requests] == asked


def test_a_form_that_leads_to_another_site_is_not_followed(server, download):
    form = '<html><title>x</title><form id="download-form" action="https://example.org/a"></form></html>'
    with pytest.raises(MirrorError, match="web page"):
        download(server.add("a.zip", b"", page(form)))


def test_a_dead_host_is_told(download):
    with pytest.raises(MirrorError, match=r"refused.*4 tries"):
        download("http://127.0.0.1:9/a.zip")
