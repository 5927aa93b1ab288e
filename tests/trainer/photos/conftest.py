import pytest

from tests.trainer.photos.builders import write_parser
from trainer.photos import Parser


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A small fixed parser's model file, of CIHP's classes."""
    return write_parser(tmp_path_factory.mktemp("parser") / "parser.pt", label_set="cihp")


@pytest.fixture(scope="session")
def parser(weights):
    return Parser.load(weights)
