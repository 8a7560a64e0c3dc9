"""Every store of blobs sits the exam."""

from pathlib import Path

import pytest

from lockgate.ledger.blobs import disk_blobs
from lockgate.ledger.s3 import s3_blobs
from lockgate.testing import blob_exam, memory_blobs
from tests.making import servers

SENTENCES = [sentence for sentence, _ in blob_exam(memory_blobs)]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_memory(sentence: str) -> None:
    dict(blob_exam(memory_blobs))[sentence]()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_disk(sentence: str, tmp_path: Path) -> None:
    dict(blob_exam(lambda: disk_blobs(tmp_path / "blobs")))[sentence]()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_s3(sentence: str, s3: servers.S3) -> None:
    dict(blob_exam(lambda: s3_blobs(s3.url)))[sentence]()
