import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.surveys.segy.text_header import output_text, text_hints, text_lines


def header(*lines: str) -> list[str]:
    return [f"C{number:2d} {line}" for number, line in enumerate(lines, 1)]


@pytest.mark.parametrize(
    ("line", "domain"),
    [
        ("PROCESSING: KIRCHHOFF PSDM, FINAL STACK", "depth"),
        ("Depth min: -4502 Depth max: 0", "depth"),
        ("PRE-STACK DEPTH MIGRATION", "depth"),
        ("VERTICAL UNITS: FEET", "depth"),
        ("KIRCHHOFF PSTM FULL STACK", "time"),
        ("Time min: 0 Time max: 6000", "time"),
        ("SAMPLES IN TWO-WAY TIME", "time"),
        ("WATER DEPTH AT CDP IN BYTES 189", None),
        ("RECORDING TIME 6 S, SOURCE DEPTH 7 M", None),
        ("PSTM STRETCHED TO DEPTH DOMAIN", None),  # both
        ("DATUM TIME--TIME TO WHICH TRACES HAVE BEEN CORRECTED", None),
    ],
)
def test_words_hint_at_the_domain(line: str, domain: str | None) -> None:
    found = text_hints(header("CLIENT: A", line)).domain
    assert (found[0] if found else None) == domain


@pytest.mark.parametrize(
    "line",
    ["CRS: ED50 / UTM ZONE 31N", "EPSG:23031", "DATUM WGS 84", "NAD27 STATE PLANE", "UTM 15N"],
)
def test_reference_systems_are_found(line: str) -> None:
    assert text_hints(header("LINE 12", line)).crs == (line,)
    assert text_hints(header("DATUM TIME 200", "LINE 12")).crs == ()


@pytest.mark.parametrize("line", ["COORDINATES IN US SURVEY FEET", "UNITS: FT", "DEPTH (FT)"])
def test_feet_are_found(line: str) -> None:
    assert text_hints(header(line)).feet == line
    assert text_hints(header("LIFT OFF, 12 FOLD")).feet == ""


def test_lines_lose_their_numbers_and_the_ends() -> None:
    lines = ["C01 CLIENT", "C 2", "C 3 C4 TOP", "C39 SEG Y REV1", "C40 END TEXTUAL HEADER", "free"]
    assert text_lines(lines) == ["CLIENT", "C4 TOP", "free"]


@given(
    st.lists(st.text(st.characters(codec="latin-1"), max_size=90), max_size=12),
    st.lists(st.text(st.characters(codec="latin-1"), max_size=90), max_size=130),
)
@settings(max_examples=40, deadline=None)
def test_every_line_of_the_input_is_kept_in_whole_blocks(
    remarks: list[str], original: list[str]
) -> None:
    blocks = output_text(remarks, original)
    assert all(len(block) == 3200 for block in blocks)
    text = "".join(block.decode("cp037") for block in blocks)
    lines = [text[start + 4 : start + 80].rstrip() for start in range(0, len(text), 80)]
    kept = [line for line in lines if line and not line.startswith("DIAPIR: ")]
    given = text_lines(original)
    expected = [
        "".join(sign if " " <= sign <= "~" else "?" for sign in line)[:76].rstrip()
        for line in given
    ]
    ends = ["SEG-Y REV1", "END TEXTUAL HEADER"]
    assert [line for line in kept if line not in [*ends, "INPUT TEXT HEADER:"]] == [
        line
        for line in expected
        if line and line not in [*ends, "INPUT TEXT HEADER:"] and not line.startswith("DIAPIR: ")
    ]


def test_diapir_s_own_lines_are_marked() -> None:
    (block,) = output_text(["MODEL general", "SHA-256 " + "0" * 64], header("CRS: UTM 31N"))
    text = block.decode("cp037")
    lines = [text[start : start + 80].rstrip() for start in range(0, 3200, 80)]
    assert lines[0] == "C 1 DIAPIR: MODEL general"
    assert all(line[4:].startswith("DIAPIR: ") for line in lines[:3])
    assert lines[3:5] == ["C 4 INPUT TEXT HEADER:", "C 5 CRS: UTM 31N"]
    assert lines[38:] == ["C39 SEG-Y REV1", "C40 END TEXTUAL HEADER"]
