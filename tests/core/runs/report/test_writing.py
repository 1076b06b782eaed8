from __future__ import annotations

import json
import logging
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from dlcore.errors import DataError
from dlcore.runs.report.evaluations import EvaluationPicture
from dlcore.runs.report.pictures import embed_pictures
from dlcore.runs.report.writing import refresh_report, write_report
from tests.core.runs.report.conftest import BODYPARTS, EVIL

VOID = {"meta", "link", "img", "wbr", "br"}


class Outline(HTMLParser):
    """Checks that tags are closed, and gathers them."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text += " " if tag in ("td", "th") else ""

    def handle_data(self, data):
        self.text += data


def written(folder):
    return write_report(folder).read_text(encoding="utf-8")


def test_the_page_is_one_well_formed_file_that_asks_for_nothing(full_run):
    text = written(full_run)
    outline = Outline(text)

    assert text.startswith("<!DOCTYPE html>")
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert not {"script", "iframe", "object"} & {tag for tag, _ in outline.tags}
    links = [about.get("src") or about.get("href") for _, about in outline.tags]
    assert all(link.startswith(("data:", "#")) for link in links if link)
    assert not re.search(r"url\(|@import", text)


def test_names_of_users_are_text_and_never_markup(full_run):
    text = written(full_run)

    assert EVIL not in text
    assert "<b>bold</b>" not in text
    joined = Outline(text.replace("<wbr>", "")).text
    assert EVIL in joined
    assert "first <run> & more" in joined
    assert all(name in joined for name in BODYPARTS)


def test_every_table_has_headers_and_every_picture_words(full_run):
    outline = Outline(written(full_run))

    images = [about for tag, about in outline.tags if tag == "img"]
    assert len(images) == 6
    assert all("img_" in about["alt"] for about in images)
    drawn = [about for tag, about in outline.tags if tag == "svg"]
    assert all(about.get("aria-label") or about.get("aria-hidden") for about in drawn)
    headers = [about for tag, about in outline.tags if tag == "th"]
    assert all(about.get("scope") in ("row", "col") for about in headers)
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_it_says_where_the_values_of_the_config_come_from(full_run):
    joined = " ".join(Outline(written(full_run).replace("<wbr>", "")).text.split())

    assert "train_settings.epochs 12 --set" in joined
    assert 'net_type "resnet_50" line 1' in joined
    assert "the network takes 96% of the time" in joined
    assert "cpu (2 cores)" in joined


def test_a_run_of_which_only_the_config_is_there_has_a_page(make_run):
    folder = make_run(rows=None, snapshots=())
    (folder / "manifest.json").unlink()
    text = Outline(written(folder)).text

    assert "was not evaluated yet" in text
    assert "did not record where its values come from" in text


def test_an_evaluation_of_an_earlier_version_has_its_metrics_on_the_page(make_run):
    folder = make_run()
    old = {"snapshot": "snapshot-best-001.pt", "images": 60, "metrics": {"rmse": 3.2475}}
    (folder / "evaluation_test.json").write_text(json.dumps(old))
    text = written(folder)

    assert '<data value="3.2475">3.25</data>' in text
    assert "Error of each bodypart" not in text
    assert "which is not in the folder any more" in text


def test_what_cannot_be_read_is_told_on_the_page(full_run):
    (full_run / "evaluation_train.json").write_text("{")
    (full_run / "evaluation_test" / "best.png").write_bytes(b"no picture")
    joined = Outline(written(full_run)).text

    assert "'evaluation_train.json' cannot be read" in joined
    assert "the picture 'evaluation_test/best.png' cannot be shown" in joined


def test_pictures_outside_of_the_run_are_refused(full_run):
    secret = full_run.parent / "secret.png"
    (full_run / "evaluation_test" / "best.png").rename(secret)
    names = ["../secret.png", str(secret), "evaluation_test/none.png", ""]
    pictures = [EvaluationPicture(name, "worst", "a.png", 1.0) for name in names]
    found, problems = embed_pictures(pictures, full_run)

    assert found == {}
    assert len(problems) == 4


def test_large_pictures_are_made_small(full_run, tmp_path):
    from PIL import Image

    Image.new("RGBA", (3000, 1500)).save(full_run / "large.png")
    found, _ = embed_pictures([EvaluationPicture("large.png", "odd", "a.png", None)], full_run)

    assert found["odd"][0].size == (960, 480)
    assert len(found["odd"][0].source) < 30_000


def test_only_an_earlier_report_is_written_over(full_run, tmp_path):
    first = written(full_run)
    assert written(full_run) == first

    other = tmp_path / "thesis.html"
    other.write_text("<p>years of work</p>")
    with pytest.raises(DataError, match="is no report"):
        write_report(full_run, other)
    assert other.read_text() == "<p>years of work</p>"


def test_nothing_else_in_the_folder_is_touched(full_run):
    before = {path: path.read_bytes() for path in full_run.rglob("*") if path.is_file()}
    path = write_report(full_run)

    after = {path: path.read_bytes() for path in full_run.rglob("*") if path.is_file()}
    assert after.keys() - before.keys() == {path}
    assert all(after[path] == content for path, content in before.items())


def test_a_failure_after_a_training_is_a_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="dlcore"):
        assert refresh_report(tmp_path) is None
        assert not caplog.records  # there is nothing to be told about
        (tmp_path / "resolved_config.yaml").write_text("{")
        assert refresh_report(tmp_path) is None
    assert "the report was not written: DataError" in caplog.text
