import time
from concurrent.futures import ThreadPoolExecutor

from pipeline.sources.unpacked import Unpacked


def test_readers_that_begin_together_unpack_once(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"packed")
    written = []

    def write(file):
        written.append(file.name)
        time.sleep(0.1)  # long enough for the others to begin
        file.write(b"unpacked")

    def read(_):
        with Unpacked(tmp_path / "scratch").open(tmp_path / "a.tar.gz", (), ".zip", write) as file:
            return file.read()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(4))) == [b"unpacked"] * 4
    assert len(written) == 1
