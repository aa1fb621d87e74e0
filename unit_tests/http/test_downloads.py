"""Downloads of files: which answers are requested again, when, and how large a file may be."""

from __future__ import annotations

import pytest
from requests_mock import Mocker

from source_ats.errors import FileUnavailable
from source_ats.http.downloads import Downloader
from unit_tests.fakes import FakeClock

URL = "https://files.example.com/cv"
LARGEST = 1000


def downloader(clock: FakeClock) -> Downloader:
    return Downloader(["files.example.com"], "file_hosts", clock, largest=LARGEST, connections=1)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_failure_that_may_pass_is_requested_three_times_with_growing_waits(
    requests_mock: Mocker, status: int
) -> None:
    requests_mock.get(URL, status_code=status)
    clock = FakeClock()
    with pytest.raises(FileUnavailable, match=f"files.example.com answered with status {status}"):
        downloader(clock).fetch(URL)
    assert requests_mock.call_count == 3
    first, second = clock.waits
    assert 0.5 <= first <= 1.0
    assert 1.0 <= second <= 1.5


@pytest.mark.parametrize("status", [401, 403, 404, 410, 418])
def test_a_failure_that_lasts_is_requested_once(requests_mock: Mocker, status: int) -> None:
    requests_mock.get(URL, status_code=status)
    clock = FakeClock()
    with pytest.raises(FileUnavailable):
        downloader(clock).fetch(URL)
    assert requests_mock.call_count == 1
    assert clock.waits == []


@pytest.mark.parametrize("status", [201, 204, 206])
def test_only_200_has_a_file(requests_mock: Mocker, status: int) -> None:
    requests_mock.get(URL, status_code=status, content=b"%PDF")
    with pytest.raises(FileUnavailable, match=f"answered with status {status}"):
        downloader(FakeClock()).fetch(URL)
    assert requests_mock.call_count == 1


def test_a_file_of_the_largest_size_is_fetched_and_no_larger_one(requests_mock: Mocker) -> None:
    requests_mock.get(URL, content=bytes(LARGEST))
    assert downloader(FakeClock()).fetch(URL).content == bytes(LARGEST)
    requests_mock.get(URL, content=bytes(LARGEST + 1))
    with pytest.raises(FileUnavailable, match="is larger than 1000 bytes"):
        downloader(FakeClock()).fetch(URL)
