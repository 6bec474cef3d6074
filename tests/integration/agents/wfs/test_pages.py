"""`do: wfs`: every feature once, however the server pages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.misbehaving_http import Asked, Reply
from tests.services.wfs_server import WfsServer, features
from tests.support.one_task import OneTask


def test_a_server_that_ignores_paging(wfs: WfsServer, task: OneTask) -> None:
    wfs.features, wfs.limit, wfs.pages = features(50), 20, False
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "page 2 has the same features as page 1: the server ignores `startindex`" in task.fails()
    wfs.with_ids = False
    assert "page 2 has the same features as page 1" in task.fails()
    wfs.says_how_many = False
    assert "page 2 has the same features as page 1" in task.fails()
    task.has(wfs.connection, "do: wfs\nlayer: thing\npage_size: all")
    wfs.says_how_many = True
    assert "the server has 50 features and gave 20: without `page_size: all`" in task.fails()
    assert not task.has_table()


def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dapu.sources.wfs.gml_stream._PIECE", 2_000)
    monkeypatch.setattr("dapu.sources.http.session._BLOCK", 777)


def test_an_answer_is_read_in_pieces_while_it_comes(
    wfs: WfsServer, task: OneTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    wfs.features = [f"<ms:name> {number}\n</ms:name>" for number in range(500)]
    wfs.limit = 300
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.rows("select count(*), count(distinct name) from staging.thing") == [(500, 500)]
    wfs.properties = {"name": "int"}
    wfs.features = [f"<ms:name>{number}</ms:name>" for number in range(500)]
    wfs.features[402] = "<ms:name>x</ms:name>"
    task.execute("drop table staging.thing")
    assert "(page 2, feature 103)" in task.fails()


def test_features_that_are_all_in_one_element(
    wfs: WfsServer, task: OneTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As WFS 1.1 allows it, and GeoServer does it."""
    in_small_pieces(monkeypatch)
    wfs.features = features(500)
    whole = wfs.page(wfs.features, numberReturned="").replace("<wfs:member>", "")
    whole = whole.replace("</wfs:member>", "").replace(
        "<ms:thing", "<gml:featureMembers><ms:thing", 1
    )
    whole = whole.replace("</wfs:FeatureC", "</gml:featureMembers></wfs:FeatureC")
    hits = wfs.page([])
    wfs.instead["GetFeature"] = lambda asked: hits if asked.get("resulttype") else whole
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    task.run()
    assert task.rows("select count(*), count(distinct name) from staging.thing") == [(500, 500)]


def test_an_answer_that_broke_off_is_gone_on_with(
    wfs: WfsServer, task: OneTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dapu.sources.http.retry.FIRST_WAIT", 0.01)
    in_small_pieces(monkeypatch)
    wfs.features = features(500)
    left = [300, 400]

    def answer(asked: Asked) -> Any:
        if asked.get("resulttype"):
            return wfs.page([])
        start = int(asked.get("startindex", "0"))
        whole = wfs.page(wfs.features[start:], start)
        if not left:
            return whole
        size = whole.index(f'gml:id="thing.{left.pop(0)}"')
        return Reply(whole[:size], missing=len(whole) - size)

    wfs.instead["GetFeature"] = answer
    task.has(wfs.connection.replace("retries: 0", "retries: 1"), "do: wfs\nlayer: thing")
    task.run()
    assert task.rows("select count(*), count(distinct name) from staging.thing") == [(500, 500)]
    assert sum("the answer broke off" in event for event in task.events()) == 2


def test_a_server_that_does_not_say_how_many_there_are(wfs: WfsServer, task: OneTask) -> None:
    wfs.features, wfs.limit, wfs.says_how_many = features(50), 20, False
    task.has(wfs.connection, "do: wfs\nlayer: thing\nkey: [name]")
    task.run()
    assert task.rows("select count(*) from staging.thing") == [(50,)]
    starts = [asked.get("startindex") for asked in wfs.asked("GetFeature")]
    assert starts == [
        "",
        "",
        "20",
        "40",
        "50",
    ]


def test_a_server_without_an_order(wfs: WfsServer, task: OneTask) -> None:
    """Each page is of another order, so that features come twice and others never."""
    wfs.features = features(50)

    def answer(asked: Asked) -> Any:
        if asked.get("resulttype"):
            return wfs.page([])
        start = int(asked.get("startindex", "0"))
        start = start - 3 if start and not asked.get("sortby") else start
        return wfs.page(wfs.features[start : start + 10], start)

    wfs.instead["GetFeature"] = answer
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "3 features came twice: the server's pages overlap. Say with `sort_by`" in task.fails()
    task.has(wfs.connection, "do: wfs\nlayer: thing\nsort_by: name")
    task.run()
    assert task.rows("select count(distinct name) from staging.thing") == [(50,)]


def test_a_layer_that_changes_while_it_is_read(wfs: WfsServer, task: OneTask) -> None:
    wfs.features = features(50)

    def answer(asked: Asked) -> Any:
        if asked.get("resulttype"):
            return wfs.page([])
        start = int(asked.get("startindex", "0"))
        return wfs.page(wfs.features[start : start + 10], start, numberMatched=51 if start else 50)

    wfs.instead["GetFeature"] = answer
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "it had 50 features, and at page 2 51; nothing was kept" in task.fails()


def test_a_server_that_gives_less_than_it_has(wfs: WfsServer, task: OneTask) -> None:
    wfs.features = features(50)
    wfs.instead["GetFeature"] = lambda asked: wfs.page(
        []
        if asked.get("resulttype") or int(asked.get("startindex", "0")) >= 30
        else wfs.features[int(asked.get("startindex", "0")) :][:10],
        int(asked.get("startindex", "0")),
    )
    task.has(wfs.connection, "do: wfs\nlayer: thing")
    assert "the server has 50 features and gave 30: it does not page" in task.fails()
