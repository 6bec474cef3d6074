"""All pages of one question, in order, as the records that are in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from dapu.errors import FaultyDocument, FaultyPath, JobError
from dapu.sources.documents import exact_json, exact_xml
from dapu.sources.documents.bounds import Body
from dapu.sources.documents.paths import Path
from dapu.sources.http.further import says_more
from dapu.sources.http.messages import HttpAnswer, Request
from dapu.sources.http.paging import Page, Paging
from dapu.sources.http.session import HttpSession
from dapu.text import counted

Format = Literal["json", "xml"]
_PARSERS: dict[Format, Callable[[bytes, str | None], Any]] = {
    "json": exact_json.parse,
    "xml": exact_xml.parse,
}
_NO_CONTENT, _UNCHANGED = 204, 304
_NO_SUCH_PAGE = (400, 404, 410, 416, 422)
_SHOWN = 200  # characters of an answer that is not what it should be


@dataclass(frozen=True)
class Pages:
    """Asks for pages until the last.

    format: what the answers are, whatever they say they are; None believes them.
    records: where in an answer the records are. paging: None when there is one page.
    note: gets a line about a page that may not be the last.
    one_is_all: there are no further pages, whatever an answer says.
    """

    session: HttpSession
    format: Format | None
    records: Path
    paging: Paging | None
    note: Callable[[str], None]
    one_is_all: bool = False

    def walk(self, request: Request, label: str = "") -> Iterator[Page]:
        """The pages. label: says in messages which question it is.

        Raises JobError when a page is not what it should be, came before, or is missing.
        """
        asked: dict[str, int] = {}
        seen: dict[bytes, int] = {}
        following: Request | None = self.paging.begin(request) if self.paging else request
        before, total = 0, None
        for number in range(1, 1 << 60):
            assert following is not None
            what = f"{label}page {number}"
            _check_new(asked, following.identity, number, f"{what} is asked for like page {{}}")
            page = self._page(following, number, before, total, what)
            if page.records:
                message = f"{what} has the same records as page {{}}"
                _check_new(seen, _digest(page.records), number, message)
            yield page
            before, following = page.arrived, self._following(page, what)
            if following is None:
                break
            total = self._total(page, what)

    def _total(self, page: Page, what: str) -> int | None:
        if self.paging is None or self.paging.total is None:
            return None
        try:
            return self.paging.count(page)
        except JobError as error:
            raise JobError(f"{what}: {error}") from None

    def _page(
        self, request: Request, number: int, before: int, total: int | None, what: str
    ) -> Page:
        body = Body(what)
        try:
            answer = self.session.send(request, body)
        except JobError as error:
            status = error.data.get("status")
            if before == total and status in _NO_SUCH_PAGE:  # the one after the last
                return Page(
                    request, HttpAnswer(status, {}, request.url), None, [], number, before, total
                )
            raise _with_advice(error, number) from error
        if answer.status == _UNCHANGED or (answer.status == _NO_CONTENT and number > 1):
            return Page(request, answer, None, [], number, before, total)
        is_empty = answer.status == _NO_CONTENT  # a path like "data || `[]`" allows for it
        try:
            document = None if is_empty else self._parse(answer, body.getvalue())
            records = self._records(document)
            return Page(request, answer, document, records, number, before, total)
        except (FaultyDocument, FaultyPath) as error:
            raise JobError(f"{what} ({answer.url}): {error}") from None

    def _following(self, page: Page, what: str) -> Request | None:
        if self.paging is None:
            if not self.one_is_all:
                _check_is_all(page, what)
            return None
        try:
            following = self.paging.following(page)
            if following is None:
                self.paging.check_end(page)
                unsure = self.paging.unsure(page)
                if unsure is not None:
                    self.note(f"`{unsure}` finds nothing on {what}, which is taken for the last")
        except JobError as error:
            raise JobError(f"{what}: {error}") from None
        return following

    def _parse(self, answer: HttpAnswer, data: bytes) -> Any:
        kind = self.format or _kind(answer.media_type)
        if kind is None:
            start = " ".join(data[:_SHOWN].decode(errors="replace").split())
            raise FaultyDocument(
                f"is {answer.media_type or 'of no type'}, neither JSON nor XML; if it is one, "
                f"say so with `format`. It begins: {start}"
            )
        return _PARSERS[kind](data, answer.charset)

    def _records(self, document: Any) -> list[Any]:
        found = self.records.of(document)
        if found is None:
            keys = f"; its keys are: {', '.join(document)}" if isinstance(document, dict) else ""
            keys = "; the answer has no content" if document is None else keys
            raise FaultyPath(
                f"`records: {self.records.text}` finds nothing{keys}. Where an answer may be "
                f"without, write `records: {self.records.text} || `[]``"
            )
        return found if isinstance(found, list) else [found]


def _kind(media_type: str) -> Format | None:
    for kind in _PARSERS:
        if media_type.endswith((f"/{kind}", f"+{kind}")):
            return kind
    return None


def _check_is_all(page: Page, what: str) -> None:
    if page.answer.next_link is not None:
        raise JobError(
            "the answer has a further page (its header Link says so), and the action "
            "does not say how to read it; add `pages: {by: link}`"
        )
    sign = says_more(page.body, page.records)
    if sign is not None:
        raise JobError(
            f"{what} has {counted(len(page.records), 'record')}, and says that there are more "
            f"(`{sign}`), and the action does not say how to read them: add `pages`. Where one "
            "page is all that is wanted, say `pages: none`"
        )


def _check_new(known: dict[Any, int], what: Any, number: int, message: str) -> None:
    """A page that comes again would double its rows, and a loop of pages would never end."""
    before = known.setdefault(what, number)
    if before != number:
        raise JobError(
            f"{message.format(before)}: the server does not page as `pages` says; nothing was kept"
        )


def _digest(records: list[Any]) -> bytes:
    return hashlib.blake2b(repr(records).encode(errors="surrogatepass"), digest_size=16).digest()


def _with_advice(error: JobError, number: int) -> JobError:
    if number > 1 and error.data.get("status") == 404:
        return JobError(
            f"{error}. If the server ends like this, say with `more` or `total` below `pages` "
            "how to know the last page",
            error.data,
        )
    return error
