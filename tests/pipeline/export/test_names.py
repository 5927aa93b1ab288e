import pytest

from pipeline.export.names import Names


@pytest.mark.parametrize("name", ["100034_483681", "dataset10k_7", "a.b_1", "写真 1", "Ünï côde", "50%", "-x", "a~2"])
def test_names_that_any_file_system_takes_stay(name):
    assert Names().stem(name) == name


@pytest.mark.parametrize(
    "name, escaped, stem",
    [
        ("a/b", "", "a%2Fb"),
        ("a\\b:c", "", "a%5Cb%3Ac"),
        (".hidden", "", "%2Ehidden"),
        (" a b ", "", "%20a b%20"),
        ("a\nb\u2028c", "", "a%0Ab%E2%80%A8c"),
        ("a b\u3000c", r"\s", "a%20b%E3%80%80c"),
        ("a.b.c", r"\.", "a%2Eb%2Ec"),
        ("a.jpg.b", r"\.(?=jpg)", "a%2Ejpg.b"),
    ],
)
def test_what_cannot_stay_is_written_in_hexadecimal(name, escaped, stem):
    assert Names(escaped).stem(name) == stem


def test_no_two_samples_get_one_file():
    names = Names()
    given = ["a", "A", "a", "a~2", "é", "e\u0301", "a/b", "a%2Fb", "straße", "STRASSE"]
    stems = [names.stem(one) for one in given]
    assert stems[:4] == ["a", "A~2", "a~3", "a~2~2"] and stems[6:8] == ["a%2Fb", "a%2Fb~2"]
    assert len({stem.casefold() for stem in stems}) == len(given)


def test_long_names_are_cut_and_stay_apart():
    names = Names()
    stems = [names.stem("写" * 200 + end) for end in "ab"]
    assert len(set(stems)) == 2
    assert all(len(f"{stem}.people.png".encode()) <= 255 and stem.startswith("写写") for stem in stems)
