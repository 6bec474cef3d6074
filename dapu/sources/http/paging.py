"""How an answer in pages goes on, and how one knows that all pages have come."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import urljoin

from pydantic import AfterValidator, Field, model_validator

from dapu.errors import FaultyPath, JobError
from dapu.sources.documents.paths import Path
from dapu.sources.http.messages import HttpAnswer, Request, same_place
from dapu.warehouse.yamlfile import Strict


def _readable(text: str) -> str:
    Path(text)  # a FaultyPath is a ValueError, which pydantic reports with the line
    return text


JmesPath = Annotated[str, AfterValidator(_readable)]


@dataclass(frozen=True)
class Page:
    """A page that came.

    number: from 1. before: how many records came before it. records: those that came with it.
    total: how many there are by what the page before it says; None where nothing says that.
    """

    request: Request
    answer: HttpAnswer
    body: Any
    records: list[Any]
    number: int
    before: int
    total: int | None = None

    @property
    def arrived(self) -> int:
        """How many records have come so far."""
        return self.before + len(self.records)


class Paging(Strict):
    """What all ways have in common."""

    total: JmesPath | None = Field(
        None, description="JMESPath in the body to the number of all records, to be compared"
    )
    more: JmesPath | None = Field(
        None, description="JMESPath in the body to what is true while there is a further page"
    )

    def begin(self, request: Request) -> Request:
        """The request for the first page."""
        return request

    def following(self, page: Page) -> Request | None:
        """The request for the next page; None when this was the last.

        A `total` ends nothing: it may be that of a page, or too low, which one page more shows.
        """
        if self.total is not None and not page.records and page.arrived >= self.count(page):
            return None
        if self.more is not None and not self._sign("more", self.more, page):
            return None
        following = self._next(page)
        if following is None and self.more is not None:
            raise JobError(
                f"by `more: {self.more}` there is a further page, and nothing says where it is"
            )
        return following

    def count(self, page: Page) -> int:
        """What the page says of how many records there are."""
        if not page.records and page.total is not None:  # an empty page may say 0, or nothing
            return page.total
        found = find(self.total or "", page.body)
        try:
            return int(str(found))
        except ValueError:
            raise JobError(
                f"`total: {self.total}` gives {found!r}, which is not a number"
            ) from None

    def check_end(self, page: Page) -> None:
        """Raises JobError when the last page leaves some records out."""
        if self.total is not None and page.arrived != self.count(page):
            raise JobError(
                f"{page.arrived:,} records came, and by `total: {self.total}` there are "
                f"{self.count(page):,}; nothing was kept"
            )

    def unsure(self, page: Page) -> str | None:
        """What finds nothing on a first page that is taken for the last."""
        if page.number > 1 or not page.records or self.total is not None:
            return None
        signs = (sign for sign in self._signs() if not Path(sign[1]).is_in(page.body))
        return next((f"{key}: {text}" for key, text in signs), None)

    def _signs(self) -> list[tuple[str, str]]:
        """The paths, with their keys, that say whether there is a further page."""
        return [("more", self.more)] if self.more is not None else []

    def _sign(self, key: str, text: str, page: Page) -> Any:
        """What such a path finds; nothing, zero or false where there is no further page.

        Raises JobError when that is not known: a misspelt path must not pass for the last page.
        """
        path, found = Path(text), find(text, page.body)
        if path.compares and found is None:
            raise JobError(f"`{key}: {text}` compares what is not a number, or is not in the body")
        # A server may leave the key out of its last page; that is known when another had it.
        if path.is_plain and page.number == 1 and page.records and not path.is_in(page.body):
            raise JobError(
                f"`{key}: {text}` is not in the body, so that nothing says whether there is a "
                f"further page. Where the only page may be without, write `{key}: \"{text} || ''\"`"
            )
        return found

    @abstractmethod
    def _next(self, page: Page) -> Request | None: ...


class _Sized(Paging):
    size: int | None = Field(None, ge=1, description="Records a page, where one can ask for that")
    size_parameter: str | None = Field(None, description="The parameter that takes `size`")

    @model_validator(mode="after")
    def _size_goes_somewhere(self) -> _Sized:
        if (self.size is None) != (self.size_parameter is None):
            raise ValueError("`size` and `size_parameter` go together")
        return self

    def begin(self, request: Request) -> Request:
        if self.size is None or self.size_parameter is None:
            return request
        return request.with_parameters({self.size_parameter: str(self.size)})


class ByNumber(_Sized):
    """Pages have numbers. The last is the one without records, unless the body says more."""

    by: Literal["page"]
    parameter: str = Field("page", description="The parameter that takes the number")
    first: int = Field(1, ge=0, description="The number of the first page")

    def begin(self, request: Request) -> Request:
        """See `Paging`."""
        return super().begin(request).with_parameters({self.parameter: str(self.first)})

    def _next(self, page: Page) -> Request | None:
        # A page that is not full is not a sign of the end: a server may give less than asked for.
        if not page.records and self.more is None:
            return None
        return page.request.with_parameters({self.parameter: str(self.first + page.number)})


class ByOffset(_Sized):
    """A page begins after so many records. The last is the one without records."""

    by: Literal["offset"]
    parameter: str = Field("offset", description="The parameter that takes the number")
    first: int = Field(0, ge=0, description="The number of the first record")

    def begin(self, request: Request) -> Request:
        """See `Paging`."""
        return super().begin(request).with_parameters({self.parameter: str(self.first)})

    def _next(self, page: Page) -> Request | None:
        if not page.records and self.more is None:
            return None
        return page.request.with_parameters({self.parameter: str(self.first + page.arrived)})


class ByCursor(_Sized):
    """Each page has the mark of the next; the last has none."""

    by: Literal["cursor"]
    cursor: JmesPath = Field(description="JMESPath in the body to the mark of the next page")
    parameter: str = Field(description="What takes it: a parameter, or a path of keys in the body")
    into: Literal["query", "body"] = Field(
        "query", description="Whether `parameter` stands in the address or in the body"
    )

    def _signs(self) -> list[tuple[str, str]]:
        return [*super()._signs(), ("cursor", self.cursor)]

    def _next(self, page: Page) -> Request | None:
        mark = self._sign("cursor", self.cursor, page)
        if mark is None or mark == "" or mark is False:
            return None
        if self.into == "query":
            return page.request.with_parameters({self.parameter: str(mark)})
        return replace(page.request, body=_put(page.request.body, self.parameter, mark))


class ByNextUrl(Paging):
    """Each page has the address of the next in its body; the last has none."""

    by: Literal["next_url"]
    next_url: JmesPath = Field(description="JMESPath in the body to the next page's address")

    def _signs(self) -> list[tuple[str, str]]:
        return [*super()._signs(), ("next_url", self.next_url)]

    def _next(self, page: Page) -> Request | None:
        found = self._sign("next_url", self.next_url, page)
        return _at(page, str(found)) if found else None


class ByLink(Paging):
    """The header `Link` has the address of the next page, with rel="next" (RFC 8288)."""

    by: Literal["link"]

    def _next(self, page: Page) -> Request | None:
        link = page.answer.next_link
        return _at(page, link) if link else None


AnyPaging = Annotated[
    ByNumber | ByOffset | ByCursor | ByNextUrl | ByLink, Field(discriminator="by")
]


def find(path: str, body: Any) -> Any:
    """What a JMESPath gives in a body. Raises JobError when it fails there."""
    try:
        return Path(path).of(body)
    except FaultyPath as error:
        raise JobError(str(error)) from None


def _at(page: Page, link: str) -> Request:
    """The page at an address that a server gave, which has all parameters in it."""
    here = page.request.url
    try:
        url = urljoin(page.answer.url, link)
        is_same = same_place(here, url)
    except ValueError:
        raise JobError(f"the next page has the address {link!r}, which is not one") from None
    if not is_same:
        raise JobError(
            f"the next page is said to be at {url}, on another server than {here}; the "
            "credentials are not sent there. If the two are one, page by number or offset, or "
            "change the url of the connection"
        )
    return replace(page.request, url=url, parameters={})


def _put(body: Any, path: str, value: Any) -> Any:
    """The body with a value at a path of keys with dots between."""
    key, _, rest = path.partition(".")
    inside = body if isinstance(body, Mapping) else {}
    return {**inside, key: _put(inside.get(key), rest, value) if rest else value}
